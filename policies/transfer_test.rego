package consentry.transfer_test

import data.consentry.transfer

from_germany(client) := {
	"caller": {"client": "x"}, "purpose": "marketing.email", "attributes": ["email"],
	"subject": {"regime": "gdpr", "country": "DE", "consent": {"status": "none"}}, "client": client,
}

allowed(client) if count(transfer.denials_of) == 0 with input as from_germany(client)
	with data.clients.x as client

test_to_where_and_how if {
	allowed({"country": "DE"})
	allowed({"country": "local"})
	allowed({"country": "NO"})
	allowed({"country": "KR"})
	allowed({"country": "US", "dpf": true})
	allowed({"country": "IN", "mechanism": "bcr"})
	not allowed({"country": "IN"})
	not allowed({"country": "IN", "dpf": true})
	not allowed({"country": "US", "dpf": "yes"})
	not allowed({"country": "US", "mechanism": "handshake"})
	not allowed({"country": ""})
	not allowed({"country": null})
	not allowed({})
}
