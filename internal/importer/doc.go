// Package importer carries tables of people into the vault: CSV, NDJSON and Parquet files,
// read as a mapping says (package mapping), through the API or straight to the database.
//
// A table is read by one goroutine, a round at a time: some thousand records, mapped,
// normalised and dealt out to workers by a hash of their first identifier. So records
// about one person are stored in the order of the file, while different people are stored
// side by side. (Records that tell one person by different identifiers only may change places.)
//
// What becomes of a round is known when all its parts are stored. Then, in the order of
// the file, its rejects are written and the [Journal] moves on, durably. An import that
// is interrupted, by a signal, a crash or a lost database, goes on after the last round
// that the journal has. Records may be sent again then; the vault updates the same
// subjects, and no person comes in twice. Nor is anybody counted twice: a subject's id tells
// when it was made (RFC 9562 §5.7), and one that a worker finds already there, but younger
// than what it has counted so far, is one of its own from before the interruption.
//
// Files are taken as hostile: a record or field over its limit is dropped while it is
// read, whatever a row does wrong costs that row alone, and what is told of a rejected
// row is its line and the reason, never a value. Memory is bounded by a few rounds.
package importer
