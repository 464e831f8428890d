# Who may call which operation. data.operations lists, per operation, the roles that may
# call it, and whether a subject may call it for themselves.
package consentry.authz

default allow := false

allow if {
	some role in input.caller.roles
	role in data.operations[input.operation].roles
}

allow if {
	data.operations[input.operation].own == true
	"subject" in input.caller.roles
	is_string(input.caller.subject)
	input.caller.subject != ""
	input.caller.subject == input.resource.subject
}
