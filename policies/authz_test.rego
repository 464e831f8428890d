package consentry.authz_test

import data.consentry.authz

may(role, operation) if authz.allow with input as {
	"caller": {"client": "x", "roles": [role]},
	"operation": operation,
	"resource": {},
}

test_personal_data_is_not_for_admins if {
	operations := {operation | some operation, _ in data.operations; may("admin", operation)}
	about_processors := {operation | some operation in operations; strings.any_prefix_match(operation, ["processors-", "deliveries-"])}
	operations - about_processors == {"audit-checkpoint", "audit-proof-consistency"}
}

# Where a processor is, and as which application it receives, says who is sent the values that are put right.
test_admins_send_nobody_anywhere if {
	not may("admin", "processors-create")
	not may("admin", "processors-update")
}

# Finding out who is in the vault would tell a marketing application more than it may know.
test_consumers_only_ask if {
	operations := {operation | some operation, _ in data.operations; may("consumer", operation)}
	operations == {"disclosures-create", "events-list", "events-acknowledge", "audit-checkpoint", "audit-proof-consistency", "facets-list"} | segments
}

segments := {operation | some operation, _ in data.operations; strings.any_prefix_match(operation, ["segments-", "activations-"])}

test_only_consumers_count if {
	every operation in ["segments-count", "segments-breakdown", "segments-overlap", "segments-report", "segments-trend", "segments-budget", "segments-activate", "activations-resume", "activations-withdrawn"] {
		may("consumer", operation)
		every role in ["officer", "approver", "steward", "agent", "subject", "auditor", "admin"] {
			not may(role, operation)
		}
	}
}

test_agents_import_nothing if {
	may("agent", "subjects-lookup")
	may("agent", "consents-record")
	not may("agent", "subjects-import")
	not may("agent", "attributes-update")
}

test_nobody_writes_the_audit_log_or_replays_without_being_an_auditor if {
	may("auditor", "audit-entry-replay")
	not may("approver", "audit-entry-replay")
	not may("steward", "audit-entries-list")
}

# A proof carries the entry it is about, and entries of one batch are about many people.
test_proofs_of_entries_are_for_those_who_read_entries if {
	roles := {role | some role in {"officer", "approver", "steward", "consumer", "agent", "subject", "auditor", "admin"}; may(role, "audit-proof-inclusion")}
	roles == {"auditor", "officer", "approver"}
}

test_subjects_see_themselves if {
	own("consents-list", "s1", "s1")
	own("consents-history", "s1", "s1")
	own("audit-entries-list", "s1", "s1")
	not own("consents-list", "s1", "s2")
	not own("disclosures-create", "s1", "s1")
	not own("subjects-lookup", "s1", "s1")
	not own("consents-list", "", "")
}

own(operation, caller, subject) if authz.allow with input as {
	"caller": {"client": "portal", "roles": ["subject"], "subject": caller},
	"operation": operation,
	"resource": {"subject": subject},
}

# The role counts, not the name in the token.
test_a_subject_claim_without_the_role_is_nothing if {
	not authz.allow with input as {
		"caller": {"client": "x", "roles": ["consumer"], "subject": "s1"},
		"operation": "consents-list",
		"resource": {"subject": "s1"},
	}
}

test_denied_by_default if {
	not authz.allow with input as {}
	not authz.allow with input as {"caller": {"client": "x", "roles": []}, "operation": "audit-checkpoint"}
	not may("admin", "no-such-operation")
	not may("root", "audit-checkpoint")
}
