package e2e_test

// registryProbes tries what is kept beside subjects and policies: notices, processors, events and records.
func registryProbes() map[string][]probe {
	const version = `{"version":1}`
	const registration = `"name":"x","contact":"x","url":"https://example.com","purposes":["marketing.*"],"country":"DE","agreement":"x"}`
	const words = `{"content":{"contact":"x","controller":"x","purposes":["marketing.email"],"recipients":[],"retention":"","rights":[],"variants":{"en":{"title":"x","text":"x"}}}}`
	const processor, notice = "/v1/processors/" + nobody, "/v1/notices/mail/versions"
	const predicate, counting = `"predicate":{"facet":"city","exists":true}`, `{"purpose":"marketing.segment"}`
	const segment, activation = "/v1/segments/" + nobody, "/v1/activations/" + nobody
	return map[string][]probe{
		"facets-list":           {{"GET", "/v1/facets", ""}},
		"segments-create":       {{"POST", "/v1/segments", `{"name":"x",` + predicate + `}`}, {"POST", "/v1/segments", `{"name":"x","predicate":{}}`}},
		"segments-list":         {{"GET", "/v1/segments", ""}, {"GET", "/v1/segments?cursor=x", ""}},
		"segments-explain":      {{"POST", "/v1/segments/explain", `{` + predicate + `}`}, {"POST", "/v1/segments/explain", `{"predicate":{}}`}},
		"segments-get":          {{"GET", segment, ""}},
		"segments-update":       {{"PUT", segment, `{"name":"x","version":1,` + predicate + `}`}},
		"segments-count":        {{"POST", segment + "/count", counting}, {"POST", segment + "/count", `{"purpose":"x"}`}},
		"segments-breakdown":    {{"POST", segment + "/breakdown", `{"purpose":"marketing.segment","by":["city"]}`}},
		"segments-overlap":      {{"POST", segment + "/overlap", `{"purpose":"marketing.segment","with":"` + nobody + `"}`}},
		"segments-trend":        {{"GET", segment + "/trend?purpose=marketing.segment", ""}},
		"segments-report":       {{"POST", "/v1/segments/report", `{"purpose":"marketing.segment","by":"city"}`}},
		"segments-budget":       {{"GET", "/v1/segments/budget?purpose=marketing.segment", ""}, {"GET", "/v1/segments/budget?purpose=x", ""}},
		"segments-activate":     {{"POST", segment + "/activations", `{"purpose":"marketing.email","attributes":["email"]}`}},
		"activations-resume":    {{"POST", activation + "/resume", `{}`}},
		"activations-withdrawn": {{"GET", activation + "/withdrawn", ""}},
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
