package audit

// The actions on what subjects see and take away of their own. Those on an export name it as the object.
const (
	ActionProfileRead    Action = "profile.read" // by the subject
	ActionExportMake     Action = "export.make"
	ActionExportLink     Action = "export.link"      // the link that fetches it once, given or sent to the subject
	ActionExportHandOver Action = "export.hand_over" // the same, given to an agent for the subject
	ActionExportFetch    Action = "export.fetch"
)
