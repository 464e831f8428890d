package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestReadmeListsEveryFlag holds the table of settings in README.md to what `consentry serve` takes.
func TestReadmeListsEveryFlag(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- flags -->\n")
	table, _, closed := strings.Cut(rest, "<!-- /flags -->")
	if !found || !closed {
		t.Fatal("README.md has no table between <!-- flags --> and <!-- /flags -->")
	}
	if want := settingsTable(serveFlags(t)); strings.TrimSpace(table) != strings.TrimSpace(want) {
		t.Errorf("README.md does not list the flags of serve as they are; put this between the marks:\n\n%s", want)
	}
}

func settingsTable(flags []*kong.Flag) string {
	var table strings.Builder
	table.WriteString("| flag | environment | default | |\n| --- | --- | --- | --- |\n")
	for _, flag := range flags {
		standard := ""
		switch {
		case flag.Required:
			standard = "required"
		case flag.Default != "":
			standard = "`" + flag.Default + "`"
		}
		meaning := flag.Help
		if choices := flag.EnumSlice(); len(choices) > 0 && !strings.Contains(meaning, choices[0]) {
			meaning += " One of `" + strings.Join(choices, "`, `") + "`."
		}
		fmt.Fprintf(&table, "| `--%s` | `%s` | %s | %s |\n", flag.Name, strings.Join(flag.Envs, "`, `"), standard, meaning)
	}
	return table.String()
}

// serveFlags gives the settings of `consentry serve`, those of every command last.
func serveFlags(t *testing.T) []*kong.Flag {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Vars{"version": "test"}, kong.DefaultEnvars("CONSENTRY"))
	if err != nil {
		t.Fatal(err)
	}
	var flags []*kong.Flag
	for _, command := range parser.Model.Children {
		if command.Name == "serve" {
			flags = append(flags, command.Flags...)
		}
	}
	if len(flags) == 0 {
		t.Fatal("there is no command serve")
	}
	for _, flag := range parser.Model.Flags {
		if flag.Name != "help" && flag.Name != "version" {
			flags = append(flags, flag)
		}
	}
	return flags
}
