package privacy_test

import (
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestControllerValidate(t *testing.T) {
	t.Parallel()
	if err := privacy.ExampleController().Validate(); err != nil {
		t.Fatal(err)
	}
	noURL := privacy.ExampleController()
	noURL.URL = ""
	if err := noURL.Validate(); err != nil {
		t.Errorf("without a URL: %v", err)
	}
	for what, spoil := range map[string]func(*privacy.Controller){
		"no name":         func(c *privacy.Controller) { c.Name = "" },
		"no contact":      func(c *privacy.Controller) { c.Contact = "" },
		"long service":    func(c *privacy.Controller) { c.Service = strings.Repeat("x", 257) },
		"country in full": func(c *privacy.Controller) { c.Country = "Germany" },
		"no address":      func(c *privacy.Controller) { c.Email = "nobody" },
		"policy, a path":  func(c *privacy.Controller) { c.PolicyURL = "/privacy" },
		"url of script":   func(c *privacy.Controller) { c.URL = "javascript:alert(1)" },
	} {
		c := privacy.ExampleController()
		spoil(&c)
		if err := c.Validate(); privacy.CodeOf(err) != "invalid_controller" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
