package policy

import (
	"github.com/consentry/consentry/internal/privacy"
)

// Coverage says, of each attribute, for which of the revision's purposes it may be used in some mode. An attribute for which there is none
// is left out: data without a purpose is not to be kept (GDPR Art. 5(1)(b) and (e), PIPL Art. 19).
func (r Revision) Coverage() (map[privacy.AttributeName]map[privacy.PurposeName]Purpose, error) {
	t, err := readTables(r.Data, nil)
	if err != nil {
		return nil, privacy.Internal(err, "read the tables of a policy revision")
	}
	covered := make(map[privacy.AttributeName]map[privacy.PurposeName]Purpose, len(t.matrix))
	for attribute, modes := range t.matrix {
		for name, mode := range modes {
			purpose, known := t.purposes[name]
			if !known || mode == privacy.ModeDeny {
				continue
			}
			if covered[attribute] == nil {
				covered[attribute] = make(map[privacy.PurposeName]Purpose)
			}
			covered[attribute][name] = purpose
		}
	}
	return covered, nil
}
