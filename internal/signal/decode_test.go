package signal_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/testenv"
)

var day = time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)

func good() testenv.TCString {
	return testenv.TCString{Updated: day, Policy: 5, ServiceSpecific: true, Consents: []int{1, 3, 4}, Vendors: []int{7, 600}, Disclosed: []int{7, 600}}
}

func TestDecodeTCFReadsWhatWasWritten(t *testing.T) {
	s := good()
	s.Features, s.Interests, s.Publisher = []int{1, 12}, []int{2, 24}, []int{1, 24}
	s.Restrictions = [][3]int{{2, 0, 7}, {3, 2, 65535}}
	c, err := signal.DecodeTCF(s.Text())
	if err != nil {
		t.Fatal(err)
	}
	if !c.LastUpdated.Equal(day) || c.Policy != 5 || !c.ServiceSpecific || c.Language != "EN" || c.PublisherCountry != "DE" {
		t.Errorf("read %+v", c)
	}
	for name, pair := range map[string][2][]int{
		"features": {c.SpecialFeatures.IDs(), s.Features}, "consents": {c.Consents.IDs(), s.Consents}, "interests": {c.LegitimateInterests.IDs(), s.Interests},
		"vendors": {list(&c.VendorConsents), s.Vendors}, "disclosed": {list(c.Disclosed), s.Disclosed}, "publisher": {c.Publisher.Consents.IDs(), s.Publisher},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s are %v, want %v", name, pair[0], pair[1])
		}
	}
	if len(c.Restrictions) != 2 || c.Restrictions[1].Purpose != 3 || c.Restrictions[1].Type != signal.RestrictionRequireLegitimate || !c.Restrictions[1].Vendors.Has(65535) {
		t.Errorf("restrictions %+v", c.Restrictions)
	}
	if c.VendorConsents.Has(8) || !c.VendorConsents.Has(600) || c.Consents.Has(0) || c.Consents.Has(25) {
		t.Error("an id that is not in a set is in it, or the other way about")
	}
}

// header is a core string up to its vendor sections.
func header() *testenv.SignalBits {
	b := (&testenv.SignalBits{}).Int(2, 6).Int(17724000000, 36).Int(17724000000, 36).Int(31, 12).Int(1, 12).Int(1, 6).Int(4, 6).Int(13, 6).Int(126, 12).Int(5, 6).Int(2, 2)
	return b.Set(12).Set(24, 1).Set(24).Int(0, 1).Int(3, 6).Int(4, 6)
}

func TestDecodeTCFRefuses(t *testing.T) {
	whole := good().Text()
	core, _, _ := strings.Cut(whole, ".")
	ranges := func(highest, entries int64, rest func(*testenv.SignalBits)) string {
		b := header().Int(highest, 16).Int(1, 1).Int(entries, 12)
		rest(b)
		return b.Int(0, 16).Int(0, 1).Int(0, 12).Text()
	}
	for name, c := range map[string]struct{ text, code string }{
		"nothing":                     {"", "signal_empty"},
		"too long":                    {core + strings.Repeat("A", signal.MaxText), "signal_too_long"},
		"standard alphabet":           {strings.Replace(core, core[40:41], "+", 1), "signal_alphabet"},
		"padding":                     {core + "==", "signal_alphabet"},
		"white space":                 {core + "\n", "signal_alphabet"},
		"beyond ASCII":                {"Ｃ" + core[1:], "signal_alphabet"},
		"version 1":                   {"B" + core[1:], "signal_version"},
		"a GPP string":                {"DBABM~" + core, "signal_alphabet"},
		"header alone":                {header().Text(), "signal_truncated"},
		"no restrictions counted":     {header().Int(0, 17).Int(0, 17).Text(), "signal_truncated"},
		"bit field that lies":         {header().Int(65535, 16).Int(0, 1).Int(-1, 40).Text(), "signal_truncated"},
		"ranges that lie":             {ranges(65535, 4095, func(b *testenv.SignalBits) { b.Int(0, 1).Int(9, 16) }), "signal_range"},
		"restrictions that lie":       {header().Int(0, 34).Int(4095, 12).Int(1, 6).Int(0, 2).Int(0, 12).Text(), "signal_truncated"},
		"vendor 0":                    {ranges(9, 1, func(b *testenv.SignalBits) { b.Int(0, 1).Int(0, 16) }), "signal_range"},
		"range backwards":             {ranges(9, 1, func(b *testenv.SignalBits) { b.Int(1, 1).Int(9, 16).Int(8, 16) }), "signal_range"},
		"vendor above the highest":    {ranges(9, 1, func(b *testenv.SignalBits) { b.Int(0, 1).Int(10, 16) }), "signal_range"},
		"range above the highest":     {ranges(9, 1, func(b *testenv.SignalBits) { b.Int(1, 1).Int(8, 16).Int(10, 16) }), "signal_range"},
		"restriction of no purpose":   {header().Int(0, 34).Int(1, 12).Int(0, 6).Int(0, 2).Int(0, 12).Text(), "signal_field"},
		"restriction of no type":      {header().Int(0, 34).Int(1, 12).Int(1, 6).Int(3, 2).Int(0, 12).Text(), "signal_field"},
		"ones after the end":          {header().Int(0, 34).Int(0, 12).Int(1, 40).Text(), "signal_trailing"},
		"a bit in the padding":        {core[:len(core)-1] + "B", "signal_trailing"},
		"language that is no letter":  {(&testenv.SignalBits{}).Int(2, 6).Int(0, 72).Int(0, 30).Int(26, 6).Int(0, 300).Text(), "signal_field"},
		"a dot and nothing":           {core + ".", "signal_truncated"},
		"an empty segment":            {core + "..IAAA", "signal_truncated"},
		"a segment twice":             {whole + "." + strings.SplitN(whole, ".", 2)[1], "signal_segment"},
		"a segment nobody knows":      {core + "." + (&testenv.SignalBits{}).Int(4, 3).Int(0, 40).Text(), "signal_segment"},
		"the core again":              {core + "." + core, "signal_segment"},
		"a publisher segment cut off": {core + "." + (&testenv.SignalBits{}).Int(3, 3).Int(0, 48).Int(63, 6).Int(0, 5).Text(), "signal_truncated"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, signal.DecodeTCF, c.text, c.code) })
	}
}

// Whatever is left off at the end of a string is missed, unless it was padding.
func TestDecodeTCFMissesEveryCut(t *testing.T) {
	s := good()
	s.Disclosed = nil
	whole := s.Text()
	for n := range len(whole) {
		if _, err := signal.DecodeTCF(whole[:n]); err == nil {
			t.Errorf("%d of %d characters are read", n, len(whole))
		}
	}
	for n := range 8 {
		if _, err := signal.DecodeTCF(whole + strings.Repeat("A", n)); err != nil {
			t.Errorf("%d characters of padding: %v", n, err)
		}
	}
}

func refused[T any](t *testing.T, decode func(string) (*T, error), text, code string) {
	t.Helper()
	got, err := decode(text)
	var typed *privacy.Error
	if got != nil || !errors.As(err, &typed) || typed.Code != code {
		t.Fatalf("got %v, %v; want %s", got, err, code)
	}
	if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
		t.Errorf("the error holds the string: %v", err)
	}
}

func TestDecodeGPPReadsWhatWasWritten(t *testing.T) {
	california := testenv.USSection(1, 1, 1, 1, 1, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0) + "." + (&testenv.SignalBits{}).Int(1, 2).Int(1, 1).Text()
	g, err := signal.DecodeGPP(testenv.GPPString([]int{2, 5, 6, 8, 24}, good().Text(), "BPSG", "1YYN", california, "GAAA"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, s := range g.Sections {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"tcfeuv2", "tcfcav1", "uspv1", "usca", "usmd"}) {
		t.Fatalf("sections %v", names)
	}
	if g.Sections[0].TCF == nil || g.Sections[1].TCF != nil || g.Sections[1].US != nil || g.Sections[4].US != nil {
		t.Error("a section is read that is not, or the other way about")
	}
	if !slices.Equal(g.Sections[2].US.Fields["OptOutSale"], []int{1}) {
		t.Errorf("US Privacy string %v", g.Sections[2].US)
	}
	fields := g.Sections[3].US.Fields
	if !slices.Equal(fields["SaleOptOut"], []int{1}) || !slices.Equal(fields["SharingOptOut"], []int{2}) || !slices.Equal(fields["SensitiveDataProcessing"], []int{0, 0, 1, 0, 0, 0, 0, 0, 0}) || !slices.Equal(fields["Gpc"], []int{1}) {
		t.Errorf("California %v", fields)
	}
}

// Each section's core, as long as its layout says: one value more or less is told.
func TestDecodeGPPKnowsTheLengthOfEverySection(t *testing.T) {
	values := map[int]int{7: 9 + 16 + 3 + 4, 8: 5 + 9 + 2 + 4, 9: 5 + 8 + 1 + 3, 10: 5 + 7 + 1 + 3, 11: 6 + 8 + 1 + 3, 12: 5 + 8 + 3 + 3, 13: 5 + 8 + 3 + 4, 14: 5 + 8 + 3 + 4,
		15: 5 + 11 + 3 + 4, 16: 5 + 8 + 1 + 4, 17: 5 + 9 + 5 + 4, 18: 6 + 8 + 1 + 3, 19: 5 + 8 + 1 + 4, 20: 5 + 8 + 3 + 4, 21: 5 + 10 + 5 + 4, 22: 5 + 8 + 1 + 4, 23: 5 + 8 + 1 + 4}
	for id, n := range values {
		version := 1
		if id == 7 {
			version = 2
		}
		twos := slices.Repeat([]int{2}, n)
		if _, err := signal.DecodeGPP(testenv.GPPString([]int{id}, testenv.USSection(version, twos...))); err != nil {
			t.Errorf("section %d: %v", id, err)
		}
		if _, err := signal.DecodeGPP(testenv.GPPString([]int{id}, testenv.USSection(version, append(twos, 2)...))); privacy.CodeOf(err) != "signal_trailing" {
			t.Errorf("section %d with a value more: %v", id, err)
		}
		if _, err := signal.DecodeGPP(testenv.GPPString([]int{id}, testenv.USSection(version, twos[:n-3]...))); privacy.CodeOf(err) != "signal_truncated" {
			t.Errorf("section %d with three values less: %v", id, err)
		}
		if _, err := signal.DecodeGPP(testenv.GPPString([]int{id}, testenv.USSection(version+1, append(twos, 2, 2, 2, 2)...))); err != nil {
			t.Errorf("section %d of a later version: %v", id, err)
		}
	}
}

func TestDecodeGPPRefuses(t *testing.T) {
	virginia := testenv.USSection(1, slices.Repeat([]int{1}, 17)...)
	gpc := (&testenv.SignalBits{}).Int(1, 2).Int(1, 1).Text()
	for name, c := range map[string]struct{ text, code string }{
		"nothing":                       {"", "signal_empty"},
		"too long":                      {strings.Repeat("A", signal.MaxText+1), "signal_too_long"},
		"a TC string":                   {good().Text(), "signal_alphabet"},
		"another type":                  {"AAAA", "signal_version"},
		"another version":               {"DCAA", "signal_version"},
		"header cut off":                {"DBA", "signal_truncated"},
		"sections that lie":             {(&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(4095, 12).Int(0, 1).Fibonacci(9).Text() + "~" + virginia, "signal_truncated"},
		"a section missing":             {testenv.GPPString([]int{9, 12}, virginia), "signal_sections"},
		"all sections missing":          {testenv.GPPString([]int{9}), "signal_sections"},
		"a section too many":            {testenv.GPPString([]int{9}, virginia, virginia), "signal_sections"},
		"the header as a section":       {testenv.GPPString([]int{3}, virginia), "signal_unknown_section"},
		"signal integrity":              {testenv.GPPString([]int{4}, virginia), "signal_unknown_section"},
		"a section nobody knows":        {testenv.GPPString([]int{28}, virginia), "signal_unknown_section"},
		"a range of sections":           {(&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(1, 12).Int(1, 1).Fibonacci(7).Fibonacci(60000).Text(), "signal_unknown_section"},
		"a number without end":          {(&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(1, 12).Int(0, 1).Int(0, 60).Text(), "signal_number"},
		"ones after the header":         {(&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(0, 12).Int(1, 6).Text(), "signal_trailing"},
		"an empty section":              {testenv.GPPString([]int{9}, ""), "signal_truncated"},
		"an empty section not read":     {testenv.GPPString([]int{5}, ""), "signal_truncated"},
		"a section of version 0":        {testenv.GPPString([]int{9}, testenv.USSection(0, slices.Repeat([]int{1}, 17)...)), "signal_version"},
		"a value of 3":                  {testenv.GPPString([]int{9}, testenv.USSection(1, 3)), "signal_field"},
		"GPC where the law has none":    {testenv.GPPString([]int{9}, virginia+"."+gpc), "signal_segment"},
		"a sub-section nobody knows":    {testenv.GPPString([]int{10}, testenv.USSection(1, slices.Repeat([]int{1}, 16)...)+"."+(&testenv.SignalBits{}).Int(2, 2).Int(1, 1).Text()), "signal_segment"},
		"GPC twice":                     {testenv.GPPString([]int{10}, testenv.USSection(1, slices.Repeat([]int{1}, 16)...)+"."+gpc+"."+gpc), "signal_alphabet"},
		"GPC that goes on":              {testenv.GPPString([]int{10}, testenv.USSection(1, slices.Repeat([]int{1}, 16)...)+"._"), "signal_segment"},
		"US Privacy cut off":            {testenv.GPPString([]int{6}, "1YN"), "signal_truncated"},
		"US Privacy that goes on":       {testenv.GPPString([]int{6}, "1YNNN"), "signal_trailing"},
		"US Privacy in lower case":      {testenv.GPPString([]int{6}, "1ynn"), "signal_field"},
		"US Privacy of another version": {testenv.GPPString([]int{6}, "2YNN"), "signal_version"},
		"a TC string that is cut off":   {testenv.GPPString([]int{2}, header().Text()), "signal_truncated"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, signal.DecodeGPP, c.text, c.code) })
	}
}

// What a string claims costs nothing: the most that 64 KiB can claim stays within a small multiple of them.
func TestDecodeAllocatesByWhatIsThere(t *testing.T) {
	claims := header().Int(65535, 16).Int(1, 1).Int(4095, 12)
	for claims.Len() < 6*(signal.MaxText-8) {
		claims.Int(1, 1).Int(1, 16).Int(65535, 16)
	}
	text := claims.Text()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = signal.DecodeTCF(text)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16*signal.MaxText {
		t.Errorf("%d bytes for a string of %d", allocated, len(text))
	}
}
