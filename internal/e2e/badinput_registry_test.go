package e2e_test

// registryProbes tries what is kept beside subjects and policies: notices, processors, events and records.
func registryProbes() map[string][]probe {
	const version = `{"version":1}`
	const registration = `"name":"x","contact":"x","url":"https://example.com","purposes":["marketing.*"],"country":"DE","agreement":"x"}`
	const words = `{"content":{"contact":"x","controller":"x","purposes":["marketing.email"],"recipients":[],"retention":"","rights":[],"variants":{"en":{"title":"x","text":"x"}}}}`
	const processor, notice = "/v1/processors/" + nobody, "/v1/notices/mail/versions"
	return map[string][]probe{
		"consents-import":       {{"POST", "/v1/consents/import", ""}, {"POST", "/v1/consents/import", "x"}},
		"notices-list":          {{"GET", "/v1/notices", ""}},
		"notices-versions":      {{"GET", notice, ""}},
		"notices-get":           {{"GET", notice + "/1", ""}, {"GET", notice + "/9", ""}},
		"notices-write":         {{"PUT", notice + "/1", words}, {"PUT", notice + "/9", words}},
		"notices-publish":       {{"POST", notice + "/1/publish", `{"edit":1}`}, {"POST", notice + "/9/publish", `{"edit":1}`}},
		"processors-create":     {{"POST", "/v1/processors", "{" + registration}},
		"processors-list":       {{"GET", "/v1/processors", ""}},
		"processors-get":        {{"GET", processor, ""}, {"GET", "/v1/processors/x", ""}},
		"processors-update":     {{"PUT", processor, `{"version":1,` + registration}},
		"processors-rotate":     {{"POST", processor + "/secret", version}},
		"processors-retire":     {{"POST", processor + "/retire", version}},
		"processors-replay":     {{"POST", processor + "/replay", `{}`}},
		"deliveries-list":       {{"GET", processor + "/deliveries", ""}},
		"deliveries-retry":      {{"POST", processor + "/deliveries/" + nobody + "/retry", `{}`}},
		"events-list":           {{"GET", "/v1/events", ""}},
		"records-of-processing": {{"GET", "/v1/records-of-processing", ""}},
	}
}
