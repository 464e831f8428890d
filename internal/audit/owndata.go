package audit

// The actions on what subjects see and take away of their own. Those on an export name it as the object.
const (
	ActionProfileRead Action = "profile.read" // by the subject
	ActionExportMake  Action = "export.make"
	ActionExportLink  Action = "export.link" // the link that fetches it once
	ActionExportFetch Action = "export.fetch"
)
