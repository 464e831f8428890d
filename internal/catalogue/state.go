package catalogue

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// StateAttributes lists the attributes that [Catalogue.Facts] asks for, in a fixed order: a
// copy of them is kept where a decision can read it.
func (c *Catalogue) StateAttributes() []privacy.AttributeName {
	return append(slices.Clone(c.factSources.Born), c.factSources.Country, c.factSources.Region)
}
