// Package ledger is the consent ledger's rules: where its records leave a subject, how each is chained to the one before, what
// others are told of it, and how somebody who trusts neither the database nor us finds out that all of it still holds. It opens no value and
// asks no policy: whether a record may be made is custody's to say.
//
//	head.go       where a locked subject stands while records are put on their ledger
//	fold.go       what a record changes
//	chain.go      hashes, and how the audit log names a record
//	event.go      what a record is to others
//	verify.go     whether ledgers are what was recorded, and states follow from them
//	rebuild.go    writing anew what does not follow
package ledger
