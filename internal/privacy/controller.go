package privacy

import (
	"net/mail"
	"net/url"
)

// Controller is who answers for the vault (GDPR Art. 4(7), PIPL Art. 73(1)): named in every consent
// receipt and in the record of processing. None of it is about a subject.
type Controller struct {
	Name         string // the legal name
	Contact      string // whom to write to: a person or an office, e.g. "Data protection officer"
	Street       string // street, postal code and town
	Country      string // ISO 3166-1 alpha-2; where the controller sits and keeps the data
	Email        string
	Phone        string
	URL          string // "" when there is none
	PolicyURL    string // the privacy policy, which says how to withdraw and what rights there are
	Jurisdiction string // whose law governs the receipt, by country, e.g. "DE" or "US-CA"
	Service      string // what the subjects signed up for
}

// ExampleController is the one of a vault that was not told whose it is.
func ExampleController() Controller {
	return Controller{Name: "Example Controller", Contact: "Data protection officer", Street: "1 Example Street", Country: "DE",
		Email: "privacy@example.com", Phone: "+49 30 00000000", URL: "https://www.example.com", PolicyURL: "https://www.example.com/privacy",
		Jurisdiction: "DE", Service: "Customer account"}
}

// Validate reports whether receipts can be made out in the controller's name. The error names the setting.
func (c Controller) Validate() error {
	for _, field := range []struct{ name, text string }{
		{"name", c.Name}, {"contact", c.Contact}, {"street", c.Street}, {"country", c.Country}, {"email", c.Email},
		{"phone", c.Phone}, {"policy_url", c.PolicyURL}, {"jurisdiction", c.Jurisdiction}, {"service", c.Service},
	} {
		if field.text == "" || len(field.text) > maxControllerText {
			return Invalid("invalid_controller", "the controller's "+field.name+" is missing or longer than 256 bytes")
		}
	}
	if _, err := mail.ParseAddress(c.Email); err != nil {
		return Invalid("invalid_controller", "the controller's email is not an address")
	}
	if len(c.Country) != 2 {
		return Invalid("invalid_controller", "the controller's country is not a code of two letters")
	}
	for _, address := range []string{c.URL, c.PolicyURL} {
		if parsed, err := url.Parse(address); err != nil || address != "" && (parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "") || len(address) > maxControllerText {
			return Invalid("invalid_controller", "the controller's url and policy_url are http or https addresses")
		}
	}
	return nil
}

// maxControllerText keeps receipts small.
const maxControllerText = 256
