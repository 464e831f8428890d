// Package signal reads the privacy signals that browsers and consent platforms send: Global Privacy
// Control, IAB Europe's TC strings and the IAB Tech Lab's GPP strings. Then, by rules that are policy data, it
// says what they mean for our purposes. It decides nothing and stores nothing: strings in, [Effect]s out.
//
// Sources, by which the decoders here were written:
//
//   - IAB Tech Lab, "Consent string and vendor list formats v2", for TCF 2.2 and 2.3 (April 2025): TC String
//     Format, The Core String, Disclosed Vendors, Publisher Purposes Transparency and Consent.
//   - IAB Tech Lab, "Global Privacy Platform String" 1.0: Header Encoding, Fibonacci Encoding, Section Encoding;
//     "Section Information" for the section ids; the technical specification of each US section.
//   - IAB Tech Lab, "US Privacy String" 1.0.
//   - W3C, "Global Privacy Control": the header Sec-GPC has one value, 1.
//
// The decoders are strict, and safe on any input. A text is at most [MaxText] long. Nothing is allocated by a length that
// the text claims, only by what it holds; vendors are kept as ranges, so that 33 bits cannot
// become 65,535 numbers. What is cut short, claims more than it holds, goes on after its end with anything
// but zeros, names what no specification knows, or uses another alphabet is refused as a [privacy.Error] with
// a stable code and none of the content. Zeros at the end are padding: some encoders fill up to bytes,
// some to groups of four characters. A section of a version later than those written here may hold more
// fields than are known; there, and only there, what follows the known fields is not looked at.
//
// # What beats what
//
// A signal stands for a choice that some software passes on, so a newer choice that a person made
// explicitly beats it, and it beats an older one. In detail:
//
//   - Global Privacy Control and the opt-outs of GPP set a flag on the subject, dated when they were received. They count even against
//     an older opt-in to a programme (11 CCR 7025(c)); only an explicit grant dated after the signal lifts the flag, for the
//     purpose it was given for. The flag is never a withdrawal of consent, nor, from Global Privacy Control, a
//     request to limit the use of sensitive data: what it means is said by the law of the subject, in regimes.json.
//   - "Did not opt out" lifts nothing: not refusing is not opting in.
//   - Consent or its refusal in a TC string becomes a record on the ledger, with the method tcf, dated as the string says it was last updated.
//     It has no effect where something on the ledger is newer. The date may be cut down to the day, so a consent counts from
//     the day's beginning and a refusal until the day's end: between the two, the refusal wins.
//   - A consent by TC string never follows a refusal or objection that is as new.
package signal
