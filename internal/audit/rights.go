package audit

// The actions on requests of subjects. Their entries name the request as the object.
const (
	ActionRequestLodge       Action = "request.lodge"
	ActionRequestJoin        Action = "request.join" // to one that is open
	ActionRequestIdentify    Action = "request.identify"
	ActionRequestRefuseProof Action = "request.identify.refuse" // of a wrong code
	ActionRequestRead        Action = "request.read"            // what it says in detail
	ActionRequestExtend      Action = "request.extend"
	ActionRequestReject      Action = "request.reject"
	ActionRequestComplete    Action = "request.complete"
	ActionRequestRectify     Action = "request.rectify" // the values it asks for are written
	ActionRequestExpire      Action = "request.expire"
	ActionRequestTell        Action = "request.tell"        // it is carried out, and waits for processors
	ActionRequestAcknowledge Action = "request.acknowledge" // by a processor
	ActionRequestEscalate    Action = "request.escalate"    // because a processor does not
	ActionRequestRemind      Action = "request.remind"      // an officer, before it is due
	ActionErasureMark        Action = "erasure.mark"
	ActionErasureExecute     Action = "erasure.execute"
	ActionErasureFields      Action = "erasure.fields" // of some attributes alone
	ActionSubjectRekey       Action = "subject.rekey"
	ActionSubjectReadmit     Action = "subject.readmit"
	ActionErasureRepeat      Action = "erasure.repeat" // after a backup had brought somebody back
	ActionRetentionRun       Action = "retention.run"  // its object is the run
	ActionRetentionDelete    Action = "retention.delete"
	ActionHoldPlace          Action = "hold.place" // its object is the hold
	ActionHoldRelease        Action = "hold.release"
)
