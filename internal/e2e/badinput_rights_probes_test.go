package e2e_test

// rightsProbes are requests to the operations about requests of customers and holds, by operation: one that is in order as far as
// its role goes, and others that must not be told apart from it.
func rightsProbes(id string) map[string][]probe {
	const request = "/v1/requests/" + nobody
	holds := "/v1/subjects/" + id + "/holds"
	return map[string][]probe{
		"requests-create":      {{"POST", "/v1/requests", `{"type":"access","subject":{"id":"` + id + `"}}`}},
		"subjects-readmit":     {{"POST", "/v1/subjects/readmissions", `{"identifiers":[{"type":"email","value":"nobody@example.com"}]}`}},
		"requests-batch":       {{"POST", "/v1/requests/batch", `{"type":"erasure","ground":"objected","subjects":["` + nobody + `"]}`}, {"POST", "/v1/requests/batch", `{"type":"erasure","ground":"objected","subjects":["x"]}`}},
		"retention-run":        {{"POST", "/v1/retention/runs", `{"dry_run":true}`}},
		"retention-list":       {{"GET", "/v1/retention/runs", ""}, {"GET", "/v1/retention/runs?cursor=x", ""}},
		"retention-get":        {{"GET", "/v1/retention/runs/" + nobody, ""}, {"GET", "/v1/retention/runs/x", ""}},
		"requests-list":        {{"GET", "/v1/requests", ""}, {"GET", "/v1/requests?cursor=x", ""}},
		"requests-grounds":     {{"GET", "/v1/requests/grounds?regime=gdpr", ""}},
		"requests-get":         {{"GET", request, ""}, {"GET", "/v1/requests/x", ""}},
		"requests-certificate": {{"GET", request + "/certificate", ""}},
		"requests-verify":      {{"POST", request + "/verify", `{"code":"12345678"}`}},
		"requests-extend":      {{"POST", request + "/extend", `{"reason":"complexity"}`}},
		"requests-reject":      {{"POST", request + "/reject", `{"ground":"x"}`}},
		"requests-complete":    {{"POST", request + "/complete", "{}"}},
		"requests-details":     {{"GET", request + "/details", ""}},
		"requests-export":      {{"GET", request + "/export", ""}, {"GET", "/v1/requests/x/export", ""}},
		"requests-export-link": {{"POST", request + "/export/link", "{}"}},
		"me-profile":           {{"GET", "/v1/me/profile", ""}},
		"me-consents":          {{"GET", "/v1/me/consents", ""}},
		"me-consents-history":  {{"GET", "/v1/me/consents/history", ""}, {"GET", "/v1/me/consents/history?cursor=x", ""}},
		"me-disclosures":       {{"GET", "/v1/me/disclosures", ""}, {"GET", "/v1/me/disclosures?cursor=x", ""}},
		"me-exports":           {{"GET", "/v1/me/exports", ""}},
		"requests-acknowledge": {{"POST", request + "/acknowledgements", `{"processor":"` + nobody + `"}`}},
		"events-acknowledge":   {{"POST", "/v1/events/acknowledgements", `{"requests":["` + nobody + `"]}`}},
		"me-requests-create":   {{"POST", "/v1/me/requests", `{"type":"access"}`}},
		"me-requests-list":     {{"GET", "/v1/me/requests", ""}},
		"holds-place":          {{"POST", holds, `{"ground":"legal_claims"}`}},
		"holds-list":           {{"GET", holds, ""}},
		"holds-release":        {{"POST", holds + "/" + nobody + "/release", "{}"}},
	}
}
