package privacy

// Names that travel between packages, each its own type so that signatures
// explain themselves and arguments cannot be swapped.
type (
	// AttributeName names one field of a profile, e.g. "birth_date".
	AttributeName string
	// AttributeID is the attribute's number in the catalogue: short, permanent, never
	// reused, and part of the associated data of every sealed value.
	AttributeID uint16
	// PurposeName names why data is used, e.g. "marketing.email".
	PurposeName string
	// ClientID names an application that calls, e.g. "crm-mailer".
	ClientID string
	// IdentifierType says what kind of identifier finds a subject: "email", "phone", …
	IdentifierType string
	// RevisionID is the hex SHA-256 of a policy revision's content.
	RevisionID string
	// RequestID ties log lines, problems and audit entries of one call together.
	RequestID string
	// ActorID stands for a person who works with the vault, an officer for instance: a
	// keyed hash, since who works here is personal data too.
	ActorID string
	// KeySlot is the number of a subject's key: page slot/4096, index slot%4096.
	KeySlot int64
)

// SystemClient is who acts when the service itself does.
const SystemClient ClientID = "consentry"

// Role says in what capacity somebody calls: an officer writes policy, a consumer asks
// for data. What a role may call is policy (consentry.authz), not code.
type Role string

// The roles a token can carry.
const (
	RoleOfficer  Role = "officer"
	RoleApprover Role = "approver"
	RoleSteward  Role = "steward"
	RoleConsumer Role = "consumer"
	RoleAgent    Role = "agent"
	RoleSubject  Role = "subject"
	RoleAuditor  Role = "auditor"
	RoleAdmin    Role = "admin"
)

// Roles lists every role, in the order in which they are documented.
func Roles() []Role {
	return []Role{RoleOfficer, RoleApprover, RoleSteward, RoleConsumer, RoleAgent, RoleSubject, RoleAuditor, RoleAdmin}
}

// Caller is who is asking: an application, with the roles its token grants, and the
// subject it speaks for when a person calls for themselves.
type Caller struct {
	Client  ClientID
	Roles   []Role
	Subject SubjectID // zero unless the caller is a subject
	// Holder tells the people apart who hold tokens of one client: a hash of who the issuer says they are. It
	// stays in memory; what is kept is an ActorID.
	Holder [32]byte
}

// Has reports whether the caller holds the role.
func (c Caller) Has(role Role) bool {
	for _, r := range c.Roles {
		if r == role {
			return true
		}
	}
	return false
}
