// Package export writes what somebody takes away of their data: a ZIP file with everything that is held about them (access:
// GDPR Art. 15, PIPL Art. 45, CCPA 1798.110), or with what they provided, for another controller to read (portability: GDPR
// Art. 20, PIPL Art. 45(3)).
//
//	data.json        everything, in the form of schemas/export.schema.json
//	index.html       the same to be read by a person, in their language; of an access alone
//	*.csv            one table for each section, in UTF-8 with a byte order mark
//
// The file is written as a stream: what is told of comes in sequences, of which one row is held at a time. Each sequence is
// read once for each of the forms, so it has to give the same rows each time.
//
// A page that lists a hundred thousand rows is read by nobody: it shows the first thousand of a section, says how many more there
// are, and in which table they stand.
package export
