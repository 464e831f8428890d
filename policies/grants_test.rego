package consentry.grants_test

import data.consentry.grants

test_by_name_and_by_family if {
	granted("marketing.email", ["marketing.*"])
	granted("marketing.email", ["sales.*", "marketing.email"])
	not granted("marketing.email", ["marketing"])
	not granted("marketing.email", ["marketing.email.*"])
	not granted("marketingx.email", ["marketing.*"])
	not granted("marketing.email", ["*"])
	not granted("marketing.email", [])
}

granted(purpose, patterns) if grants.granted("x", purpose) with data.clients.x as {"purposes": patterns}

test_an_unknown_client_has_nothing if not grants.granted("nobody", "marketing.email")

test_starter_grants if {
	{"marketing.email", "marketing.sms", "marketing.segment"} & grants.table["crm-mailer"] == {"marketing.email", "marketing.sms", "marketing.segment"}
	not "service.support" in grants.table["crm-mailer"]
}
