# Which client may ask for which purpose: by name, or by family ("marketing.*").
package consentry.grants

granted(client, purpose) if {
	some pattern in data.clients[client].purposes
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
