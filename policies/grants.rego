# Which client may ask for which purpose: by name, or by family ("marketing.*").
package consentry.grants

granted(client, purpose) if granted_to(data.clients[client], purpose)

# The same for a client's row. The decision asks with the row it has, so that what it reads of the
# table is the row of its own client.
granted_to(client, purpose) if {
	some pattern in client.purposes
	matches(pattern, purpose)
}

matches(pattern, purpose) if pattern == purpose

matches(pattern, purpose) if {
	endswith(pattern, ".*")
	startswith(purpose, trim_suffix(pattern, "*"))
}

# The same as a table, for showing.
table[client] contains purpose if {
	some client, _ in data.clients
	some purpose, _ in data.purposes
	granted(client, purpose)
}
