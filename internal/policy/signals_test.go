package policy

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestSignalsComeWithTheRevision(t *testing.T) {
	engine := NewEngine()
	revision := defaultRevision(t)
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	if rules, ok := engine.Signals(revision.ID); !ok || len(rules.GPC) != 1 || len(rules.TCF.Purposes) == 0 {
		t.Errorf("%+v, %t", rules, ok)
	}
	if _, ok := engine.Signals("unknown"); ok {
		t.Error("an unknown revision has rules")
	}
	data := tablesOf(t, revision)
	delete(data, "signals")
	older, err := NewRevision(revision.Modules, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Load(t.Context(), older); err != nil {
		t.Errorf("a revision from before signals: %v", err)
	}
	if _, ok := engine.Signals(older.ID); ok {
		t.Error("a revision that does not say has rules")
	}
}

// A revision whose table cannot be meant is refused when it is loaded, and not when a signal comes.
func TestSignalsAreCheckedAtLoad(t *testing.T) {
	for name, change := range map[string]func(data map[string]any){
		"a flag that is unknown":                  func(data map[string]any) { data["signals"].(map[string]any)["gpc"] = []any{"optout"} },
		"a purpose that the policy does not have": func(data map[string]any) { delete(data["purposes"].(map[string]any), "ads.personalised") },
		"a law that the policy does not have": func(data map[string]any) {
			data["signals"].(map[string]any)["tcf"].(map[string]any)["regimes"] = []any{"gdrp"}
		},
		"no table at all": func(data map[string]any) { data["signals"] = "none" },
	} {
		revision := defaultRevision(t)
		data := tablesOf(t, revision)
		change(data)
		changed, err := NewRevision(revision.Modules, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := NewEngine().Load(t.Context(), changed); privacy.CodeOf(err) != "invalid_policy" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
