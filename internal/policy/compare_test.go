package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type table = map[string]any

// rowOf goes down a table.
func rowOf(data table, path ...string) table {
	for _, step := range path {
		data = data[step].(table)
	}
	return data
}

// edited is a revision with its tables changed.
func edited(t testing.TB, base Revision, change func(table)) Revision {
	t.Helper()
	data := tablesOf(t, base)
	change(data)
	revision, err := NewRevision(base.Modules, data)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestCompareInWords(t *testing.T) {
	base := defaultRevision(t)
	for name, test := range map[string]struct {
		change func(table)
		en, zh []string
	}{
		"nothing": {func(table) {}, nil, nil},
		"attribute lost, client by client": {
			func(d table) { delete(rowOf(d, "matrix", "city"), "service.support") },
			[]string{"`service-desk` may no longer see `city` in plain for `service.support`."},
			[]string{"`service-desk` 今后不得为 `service.support` 查看 `city`（原为明文）。"},
		},
		"denied in so many words": {
			func(d table) { rowOf(d, "matrix", "email")["marketing.email"] = "deny" },
			[]string{"`crm-mailer` may no longer see `email` in plain for `marketing.email`."},
			[]string{"`crm-mailer` 今后不得为 `marketing.email` 查看 `email`（原为明文）。"},
		},
		"another form": {
			func(d table) { rowOf(d, "matrix", "email")["marketing.email"] = "mask" },
			[]string{"`crm-mailer` now sees `email` masked instead of in plain for `marketing.email`."},
			[]string{"`crm-mailer` 为 `marketing.email` 查看 `email` 时，由明文改为掩码值。"},
		},
		"attribute gained": {
			func(d table) { rowOf(d, "matrix", "street_address")["marketing.email"] = "tokenise" },
			[]string{"`crm-mailer` may now see `street_address` as a token for `marketing.email`."},
			[]string{"`crm-mailer` 今后可为 `marketing.email` 查看 `street_address`（令牌）。"},
		},
		"two clients": {
			func(d table) { rowOf(d, "matrix", "email")["marketing.segment"] = "plain" },
			[]string{"`analyst` now sees `email` in plain instead of in aggregates only for `marketing.segment`.",
				"`crm-mailer` now sees `email` in plain instead of in aggregates only for `marketing.segment`."},
			[]string{"`analyst` 为 `marketing.segment` 查看 `email` 时，由汇总数改为明文。", "`crm-mailer` 为 `marketing.segment` 查看 `email` 时，由汇总数改为明文。"},
		},
		"nobody's cell": {
			func(d table) { rowOf(d, "matrix", "email")["nobody.asks"] = "plain" },
			[]string{"For `nobody.asks`, which no client may ask for, `email` is now to be seen in plain instead of not at all."},
			[]string{"`nobody.asks`（目前没有客户端可申请）的 `email` 由不可见改为明文。"},
		},
		"written differently": {
			func(d table) { rowOf(d, "matrix", "street_address")["marketing.email"] = "deny" },
			[]string{"For `marketing.email`, `street_address` is written differently, and still is to be seen not at all."},
			[]string{"`marketing.email` 的 `street_address` 写法有变，仍为不可见。"},
		},
		"grants written differently": {
			func(d table) { rowOf(d, "clients", "crm-mailer")["purposes"] = []any{"marketing.*", "marketing.sms"} },
			[]string{"The grants of `crm-mailer` are written differently and cover the same purposes."},
			[]string{"`crm-mailer` 的授权写法有变，所涵盖的目的不变。"},
		},
		"notice": {
			func(d table) { rowOf(d, "purposes", "marketing.email")["minimum_notice_version"] = 3 },
			[]string{"Purpose `marketing.email` now needs notice version 3 (before: 0); consents given on an older one no longer count."},
			[]string{"目的 `marketing.email` 今后须告知第 3 版（原为第 0 版）；基于更早版本的同意不再有效。"},
		},
		"places": {
			func(d table) {
				rowOf(d, "regimes", "countries")["DE"] = "uk_gdpr"
				delete(rowOf(d, "regimes", "countries"), "FR")
				rowOf(d, "regimes", "regions", "US")["VA"] = "ccpa"
			},
			[]string{"People in `DE` now come under `uk_gdpr` (before: `gdpr`).", "People in `FR` no longer come under `gdpr`; what applies to them is the strictest.",
				"People in `US-VA` now come under `ccpa`."},
			[]string{"`DE` 的个人改为适用 `uk_gdpr`（原为 `gdpr`）。", "`FR` 的个人不再适用 `gdpr`，改为适用最严格的规则。", "`US-VA` 的个人今后适用 `ccpa`。"},
		},
		"law": {
			func(d table) { rowOf(d, "regimes", "laws", "gdpr", "minors", "consent_age")["DE"] = 14 },
			[]string{"Law `gdpr`: `minors/consent_age/DE` is now 14."},
			[]string{"法律 `gdpr`：`minors/consent_age/DE` 现为14。"},
		},
		"operations": {
			func(d table) {
				rowOf(d, "operations", "subjects-lookup")["roles"] = []any{"steward", "admin"}
				delete(rowOf(d, "operations", "consents-list"), "own")
				rowOf(d, "operations")["new-one"] = table{"roles": []any{"officer"}, "own": true}
			},
			[]string{"People may no longer call `consents-list` for themselves.", "Role `officer` may now call `new-one`.", "People may now call `new-one` for themselves.",
				"Role `agent` may no longer call `subjects-lookup`.", "Role `admin` may now call `subjects-lookup`."},
			[]string{"个人今后不得为自己调用 `consents-list`。", "角色 `officer` 今后可调用 `new-one`。", "个人今后可为自己调用 `new-one`。",
				"角色 `agent` 今后不得调用 `subjects-lookup`。", "角色 `admin` 今后可调用 `subjects-lookup`。"},
		},
		"other tables": {
			func(d table) { d["extras"] = table{"a": table{"purposes": []any{"ads.*"}}} },
			[]string{"Table `extras` is new."}, []string{"新增表 `extras`。"},
		},
		"attribute and client": {
			func(d table) {
				rowOf(d, "attributes", "email")["classification"] = "sensitive"
				rowOf(d, "clients", "crm-mailer")["country"] = "US"
				rowOf(d, "clients", "crm-mailer")["title"] = strings.Repeat("x", 100)
			},
			[]string{"Attribute `email`: `classification` is now `sensitive` (before: `personal`).", "Client `crm-mailer`: `country` is now `US` (before: `local`).",
				"Client `crm-mailer`: `title` is now another value (before: `Campaign mailer`)."},
			[]string{"属性 `email`：`classification` 由`personal`改为`sensitive`。", "客户端 `crm-mailer`：`country` 由`local`改为`US`。", "客户端 `crm-mailer`：`title` 由`Campaign mailer`改为其他值。"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			diff := Compare(base, edited(t, base, test.change))
			en, zh := diff.Sentences("en"), diff.Sentences("zh-CN")
			if !slices.Equal(en, test.en) {
				t.Errorf("got\n%s", strings.Join(en, "\n"))
			}
			if !slices.Equal(zh, test.zh) {
				t.Errorf("got\n%s", strings.Join(zh, "\n"))
			}
		})
	}
}

func TestCompareTellsOfPurposesAndGrants(t *testing.T) {
	base := edited(t, defaultRevision(t), func(d table) {
		d["matrix"] = table{"email": table{"ads.personalised": "mask"}, "city": table{"ads.personalised": "mask"}, "phone": table{"ads.personalised": "plain"}}
	})
	diff := Compare(base, edited(t, base, func(d table) {
		rowOf(d, "clients", "service-desk")["purposes"] = []any{"ads.*"}
		delete(rowOf(d, "clients"), "ads-desk")
		delete(rowOf(d, "purposes"), "marketing.sms")
		row := rowOf(d, "purposes", "marketing.email")
		row["basis"].(table)["gdpr"] = "legitimate_interest"
		row["basis"].(table)["default"] = "contract"
		delete(row["basis"].(table), "ccpa")
		row["marketing"], row["children_likely"] = false, true
	}))
	want := []string{
		"`ads-desk` may no longer ask for `ads.personalised`; it saw `phone` in plain, `city`, `email` masked.",
		"`crm-mailer` may no longer ask for `marketing.sms`; it saw nothing.",
		"`service-desk` may now ask for `ads.personalised` and sees `phone` in plain, `city`, `email` masked.",
		"`service-desk` may no longer ask for `service.support`; it saw nothing.",
		"Client `ads-desk` is gone; it may ask for nothing any more.",
		"Purpose `marketing.email` no longer rests on `notice` under `ccpa`, but on its default basis.",
		"Purpose `marketing.email` now rests on `contract` under `default` (before: `consent`).",
		"Purpose `marketing.email` now rests on `legitimate_interest` under `gdpr`, no longer on its default basis.",
		"Purpose `marketing.email` now counts as: likely to address children.",
		"Purpose `marketing.email` no longer counts as: marketing.",
		"Purpose `marketing.sms` is gone; nobody may ask for it any more.",
	}
	if got := diff.Sentences("en"); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if got := diff.Sentences("zh"); len(got) != len(want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestCompareModulesAndCases(t *testing.T) {
	one, err := NewRevision(map[string]string{"a.rego": "package a\n\nx := 1\ny := 2\n", "b.rego": "package b\n"}, map[string]any{"t": 1})
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewRevision(map[string]string{"a.rego": "package a\n\nx := 1\nz := 3\ny := 4\n", "c.rego": "package c\n\nx := 1"}, map[string]any{"t": 1})
	if err != nil {
		t.Fatal(err)
	}
	if one, err = one.WithTests(Tests{Cases: []Case{{Name: "1"}, {Name: "2"}}, Modules: map[string]string{"a_test.rego": "package a_test"}}); err != nil {
		t.Fatal(err)
	}
	if two, err = two.WithTests(Tests{Cases: []Case{{Name: "2", Law: "x"}, {Name: "3"}}}); err != nil {
		t.Fatal(err)
	}
	diff := Compare(one, two)
	want := []ModuleChange{{"a.rego", Changed, 2, 1}, {"b.rego", Removed, 0, 1}, {"c.rego", Added, 3, 0}}
	if !slices.Equal(diff.Modules, want) || len(diff.TestModules) != 1 {
		t.Errorf("got %v, %v", diff.Modules, diff.TestModules)
	}
	if cases := []NameChange{{"1", Removed}, {"2", Changed}, {"3", Added}}; !slices.Equal(diff.Cases, cases) {
		t.Errorf("got %v", diff.Cases)
	}
	sentences := strings.Join(diff.Sentences("en"), "\n")
	if want := `Module ` + "`a.rego`" + ` has changed: lines added 2, removed 1.
Module ` + "`b.rego`" + ` is gone, with its 1 lines.
Module ` + "`c.rego`" + ` is new, with 3 lines.
Test module ` + "`a_test.rego`" + ` is gone, with its 1 lines.
Case “1” is gone.
Case “2” has changed.
Case “3” is new.`; sentences != want {
		t.Errorf("got\n%s", sentences)
	}
}

func TestLineChanges(t *testing.T) {
	for _, test := range []struct {
		before, after  string
		added, removed int
	}{
		{"", "", 0, 0}, {"a\nb\n", "a\nb\n", 0, 0}, {"", "a\n", 1, 0}, {"a", "", 0, 1},
		{"a\nb\nc", "a\nc", 0, 1}, {"a\nb\nc", "c\na\nb", 1, 1}, {"a\nb", "x\ny", 2, 2},
		{strings.Repeat("a\n", 2*mostLines), "b\n" + strings.Repeat("a\n", mostLines) + "b\n", 2, mostLines},
	} {
		if added, removed := lineChanges(test.before, test.after); added != test.added || removed != test.removed {
			t.Errorf("%.20q → %.20q: %d, %d", test.before, test.after, added, removed)
		}
	}
}

// What Go reads out of clients' grants is what the policy reads out of them.
func TestGrantsAreReadAsThePolicyReadsThem(t *testing.T) {
	revision := edited(t, defaultRevision(t), func(d table) {
		for i, pattern := range []string{"marketing.*", "marketing.email", "marketing*", "*", ".*", "marketing.", "ads.personalised.*", "nobody.*", ""} {
			rowOf(d, "clients")[fmt.Sprint("client-", i)] = table{"title": "x", "purposes": []any{pattern}, "recipient": "own", "country": "local"}
		}
	})
	ready, err := prepare(t.Context(), revision)
	if err != nil {
		t.Fatal(err)
	}
	for client, granted := range accessOf(revision.Data).grants {
		table := slices.Sorted(slices.Values(ready.tables.granted[client]))
		if !slices.Equal(slices.Sorted(maps.Keys(granted)), table) {
			t.Errorf("%s: %v, and the policy reads %v", client, granted, table)
		}
	}
}

// TestCompareIsComplete changes tables at random: a revision does not differ from itself, and every cell that differs is
// in the difference, and in a sentence in both languages that names it.
func TestCompareIsComplete(t *testing.T) {
	base := edited(t, defaultRevision(t), func(d table) {
		maps.DeleteFunc(d, func(name string, _ any) bool {
			return !slices.Contains([]string{"matrix", "purposes", "clients"}, name)
		})
		maps.DeleteFunc(rowOf(d, "matrix"), func(name string, _ any) bool { return name > "f" })
	})
	text, err := json.Marshal(base.Data)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		one, two := drawRevision(t, base.Modules, text, "one"), drawRevision(t, base.Modules, text, "two")
		if diff := Compare(one, one); !diff.Empty() || len(diff.Sentences("en")) > 0 {
			t.Fatalf("a revision differs from itself: %+v", diff)
		}
		diff, back := Compare(one, two), Compare(two, one)
		if diff.Empty() != (one.ID == two.ID) {
			t.Fatal("another id, and no difference")
		}
		if len(diff.Matrix) != len(back.Matrix) || len(diff.Access) != len(back.Access) || len(diff.Grants) != len(back.Grants) || len(diff.Tables) != len(back.Tables) {
			t.Fatal("the difference is not the same both ways")
		}
		sentences := map[string]string{"en": strings.Join(diff.Sentences("en"), "\n"), "zh": strings.Join(diff.Sentences("zh"), "\n")}
		before, after := accessOf(one.Data), accessOf(two.Data)
		for _, at := range cells(before.matrix, after.matrix) {
			change := CellChange{Attribute: at.attribute, Purpose: at.purpose, Old: before.matrix[at], New: after.matrix[at]}
			if slices.Contains(diff.Matrix, change) != (change.Old != change.New) {
				t.Fatalf("%v", change)
			}
			for lang, text := range sentences {
				if change.Old != change.New && !told(text, change) && rowOf(two.Data, "purposes")[string(at.purpose)] != nil {
					t.Fatalf("%s: nothing is said of %v:\n%s", lang, change, text)
				}
				if strings.Contains(text, "%!") {
					t.Fatalf("%s: %s", lang, text)
				}
			}
		}
	})
}

func told(text string, change CellChange) bool {
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf("`%s`", change.Attribute)) && strings.Contains(line, fmt.Sprintf("`%s`", change.Purpose)) {
			return true
		}
	}
	return false
}

// drawRevision edits some cells, grants and rows.
func drawRevision(t *rapid.T, modules map[string]string, text []byte, label string) Revision {
	var data table
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	attributes := slices.Sorted(maps.Keys(rowOf(data, "matrix")))
	purposes := slices.Sorted(maps.Keys(rowOf(data, "purposes")))
	modes := []string{"plain", "generalise", "mask", "tokenise", "aggregate", "deny", ""}
	for range rapid.IntRange(0, 5).Draw(t, label+" cells") {
		cells := rowOf(data, "matrix", rapid.SampledFrom(attributes).Draw(t, "attribute"))
		purpose, mode := rapid.SampledFrom(purposes).Draw(t, "purpose"), rapid.SampledFrom(modes).Draw(t, "mode")
		if cells[purpose] = mode; mode == "" {
			delete(cells, purpose)
		}
	}
	grants := []any{}
	for _, pattern := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"marketing.*", "marketing.email", "ads.*", "service.support", "marketing*", "*"}), 0, 3, rapid.ID[string]).Draw(t, label+" grants") {
		grants = append(grants, pattern)
	}
	rowOf(data, "clients", "crm-mailer")["purposes"] = grants
	if rapid.Bool().Draw(t, label+" drops a purpose") {
		delete(rowOf(data, "purposes"), rapid.SampledFrom(purposes).Draw(t, "dropped"))
	}
	revision, err := NewRevision(modules, data)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}
