// Package events tells others what happened: it carries every committed change from the outbox to a log, calls the processors
// that are to be told of it, and shows the log as a feed to those who would rather ask. It stands between the interface and
// custody, whose flows put their events into the outbox in the transactions that they are about (GDPR Art. 17(2), 19).
//
//	relay.go, loghead.go              from the outbox to the log
//	teller.go, round.go, pace.go      from the log to the processors that are called
//	feed.go, cursor.go, message.go    from the log to those who ask
//	processor.go, secret.go           who is told, and what it is signed with
//	processorcall.go                  what a processor says, and as whom it asks
//	delivery.go                       what came of it, and telling it again
//
// # Telling a processor
//
// The relay logs a change and, in the same transaction, enqueues a job for each
// processor that has none (store.Relay). The job takes the exclusive right to tell that processor (store.Lane), goes
// through the log from where the processor's cursor is, notes what the processor wants as deliveries, and makes them: those of
// one subject one after the other, those of different subjects side by side. It goes on until there is nothing
// left. So order holds because there is one teller, and one event of a subject at a time; and nothing is lost,
// because an event is done with only once the receiver has accepted it, and until then lies in a table. An event
// may be sent again after a crash, under the same id.
//
// A receiver that is away makes the job fail, and River tries it again, less and less often: nothing of what waits is
// given up for that, however much it is, until it has been tried for days. An event that fails while others get through, or
// that the receiver refuses to take, is tried again by itself; it holds back later events of its subject and of
// nobody else, and is given up after some refusals. What was given up is kept, shown, and can be retried.
//
// An event has pseudonyms, names of the policy and times. The right values, which those are told who got wrong ones, are disclosed
// by custody when they are sent; nothing of a person is opened here, and no key is in reach.
package events
