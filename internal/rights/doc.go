// Package rights leads requests of customers about their data from the day they come to the day they are answered: access,
// portability, rectification, erasure, restriction, objection and the withdrawal of all consents (GDPR Art. 15 to 21, PIPL
// 44 to 48, CCPA 1798.105 to .121). It stands between the interface and custody, which seals, opens and destroys.
//
// # The life of a request
//
//	verifying ─▶ in_progress ─▶ awaiting_processors ─▶ completed
//	    │ │          │
//	    │ └──────────┴─▶ rejected (with the ground of the law that was invoked), unless it has begun to be carried out
//	    ▼
//	 expired
//
// A request that a subject makes with a token of their own is in_progress when it is answered. Any other has to be
// identified first: by a single-use code that is sent to a verified address, or by an agent, another one than who brought
// it, who has seen a proof. It takes two of these where the policy says so, and where an agent vouches for what came by the form, which they
// may have filled in: the code and an agent, or two agents. If nobody does that in time it expires, and what it said is
// deleted; with one proof of two it has until it is due, and as long again. What was asked by an identifier is answered with the same words, and the same date,
// whether the vault knows the person or not: until they are identified, the strictest law's deadline stands, afterwards their
// own law's. Of one kind there is one request a subject that is not carried out yet; who asks again joins it, and what they say is added to it. Withdrawals,
// objections and restrictions are done at once, each of them: nobody's later decision is taken for an earlier one.
//
// What is said in a request is sealed, and kept for as long as somebody needs it there: a value that is to be corrected until it is written or erased, the
// rest for some time after the request was closed, for who complains of the answer. Then the request, its dates and the audit log tell of it alone.
//
// Dates come from the policy in force (its table deadlines) and are worked out in the time of the place whose law it
// is. due_at is the earlier date that the vault works towards; legal_due_on is the day that counts where a date on a weekend or
// holiday moves on.
//
// # Carrying out
//
// What a withdrawal, an objection or a restriction takes back is on the consent ledger by the transaction that takes the request up: it is in force
// with it, or neither is there. A request of access or portability is answered with a file, which a job makes and the subject
// fetches. It goes with any value in it that is deleted or corrected, and one that is being made then is made anew. An erasure stops all reads of the subject in the transaction that takes the
// request up, and is finished by the process that took it, which has the key page in memory. A job follows it up after a minute. Each step
// is done once the row says so, every step may be repeated, several may be at it, and so a process that dies anywhere is followed by
// one that goes on:
//
//	marked     reads have stopped, messages are cancelled, identifiers find nobody and are suppressed
//	buried     Vault knows of the erasure, beside the key page: a restored database is held to it
//	punctured  the key is gone from the page, which was verified and whose older versions are destroyed; or nothing is left of the page
//	deleted    everything that was sealed under the key is deleted, with an audit entry
//	told       the processors that have received something are noted, and the event is on its way to them
//	certified  all of them have acknowledged; the certificate is signed, and the request completed
//
// Erasures are led together, however many there are: a transaction is about 250 of them, and a page is changed once for all whose keys are
// on it. The certificate asks for a checkpoint over its entries instead of waiting for the next.
//
// # Processors
//
// Who has received the subject, which the record of disclosures and the ledger tell, has to do the same (GDPR Art. 17(2), 19). An erasure,
// a rectification, a restriction and a withdrawal of all consents each lead to one event, which is sent to those processors alone and
// has the name of the request. The request waits until all of them have said that it is done: by a call that they sign with the secret
// that the events to them are signed with, by their application with its own token, or, in writing, to an officer. One that
// has accepted the event and says nothing is told again, and after a time officers hear of it (Service.Attend).
//
// A legal hold stops an erasure before it begins, not after: there is no way back from its first step.
package rights
