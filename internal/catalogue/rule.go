package catalogue

import "slices"

// check holds a rule against the type of the attribute that has it.
func (r *Rule) check(a *Attribute) error {
	if r == nil {
		return nil
	}
	if !r.fits(a.Type) {
		return invalidCatalogue("attribute %s: the rule %s does not fit the type %s", a.Name, r.Rule, a.Type)
	}
	banded := r.Rule == RuleAgeBand || r.Rule == RuleBands || r.Rule == RuleElapsed
	if banded && (len(r.Bounds) == 0 || !rising(r.Bounds)) {
		return invalidCatalogue("attribute %s: the rule %s has rising bounds", a.Name, r.Rule)
	}
	if len(r.Labels) > 0 && len(r.Labels) != len(r.Bounds)+1 {
		return invalidCatalogue("attribute %s: the rule %s has one label more than bounds", a.Name, r.Rule)
	}
	if repeated(r.Labels) {
		return invalidCatalogue("attribute %s: two bands of the rule %s have one label", a.Name, r.Rule)
	}
	if r.Rule == RulePrefix && r.Keep < 1 {
		return invalidCatalogue("attribute %s: a prefix keeps at least one character", a.Name)
	}
	return nil
}

func (r *Rule) fits(t Type) bool {
	switch r.Rule {
	case RuleValue, RuleAttribute:
		return true
	case RuleAgeBand:
		return t == TypeDate || t == TypeYear
	case RuleBands:
		return t == TypeInteger || t == TypeMoney || t == TypeDecimal || t == TypeYear
	case RuleElapsed, RuleMonth, RuleYear:
		return t == TypeDate
	case RulePrefix:
		return t == TypeString
	case RuleCount:
		return t == TypeStrings || t == TypeAmounts
	case RuleLargest:
		return t == TypeAmounts
	case RuleMember:
		return t == TypeStrings
	default:
		return false
	}
}

func rising(bounds []int64) bool {
	return slices.IsSorted(bounds) && len(slices.Compact(slices.Clone(bounds))) == len(bounds)
}

func repeated(labels []string) bool {
	sorted := slices.Sorted(slices.Values(labels))
	return len(slices.Compact(sorted)) < len(labels)
}
