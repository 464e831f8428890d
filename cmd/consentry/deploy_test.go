package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deploy = "../../deploy"

// settings gives the environment variables that `consentry serve` reads.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, flag := range serveFlags(t) {
		names = append(names, flag.Envs...)
	}
	return names
}

// ours are the variables that are meant for Consentry, among those that are for others.
var ours = regexp.MustCompile(`^(CONSENTRY_[A-Z_]+|VAULT_[A-Z]+|DATABASE_URL|OTEL_[A-Z_]+)$`)

// TestDeployYAML reads all YAML under deploy, but for the templates, which are not YAML yet.
func TestDeployYAML(t *testing.T) {
	t.Parallel()
	read := 0
	err := filepath.WalkDir(deploy, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || filepath.Base(filepath.Dir(path)) == "templates" {
			return err
		}
		read++
		content, err := os.ReadFile(path)
		if err == nil {
			_, err = documents(content)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || read < 3 {
		t.Fatalf("read %d files: %v", read, err)
	}
}

// documents reads the YAML documents of a file, refusing keys that are there twice.
func documents(content []byte) ([]map[string]any, error) {
	var list []map[string]any
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, document)
	}
}

// TestComposeSettings holds the variables of compose.yaml to those that there are.
func TestComposeSettings(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(deploy, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Image       string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(content, &compose); err != nil {
		t.Fatal(err)
	}
	known := settings(t)
	for name, service := range compose.Services {
		for variable := range service.Environment {
			if service.Image == "consentry" && !slices.Contains(known, variable) {
				t.Errorf("service %s sets %s, which Consentry does not read", name, variable)
			}
		}
	}
	for _, variable := range []string{"DATABASE_URL", "VAULT_ADDR", "CONSENTRY_ISSUER"} {
		if compose.Services["consentry"].Environment[variable] == "" {
			t.Errorf("the service does not get %s", variable)
		}
	}
}

// TestChartSettings holds the variables that the chart sets to those that there are.
func TestChartSettings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(deploy, "helm", "consentry", "templates", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("the chart has no templates")
	}
	known, set := settings(t), map[string]bool{}
	for _, file := range append(files, filepath.Join(deploy, "helm", "consentry", "values.yaml")) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^\s*(?:- name: )?([A-Z][A-Z_]+)(?::|\s*$)`).FindAllSubmatch(content, -1) {
			name := string(match[1])
			if set[name] = true; !ours.MatchString(name) || !slices.Contains(known, name) {
				t.Errorf("%s sets %s, which Consentry does not read", filepath.Base(file), name)
			}
		}
	}
	for _, name := range []string{"DATABASE_URL", "VAULT_ADDR", "CONSENTRY_ISSUER", "CONSENTRY_VAULT_JWT_FILE"} {
		if !set[name] {
			t.Errorf("the chart does not set %s", name)
		}
	}
}

// TestChartRenders renders the chart where helm is at hand.
func TestChartRenders(t *testing.T) {
	t.Parallel()
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("helm is not installed")
	}
	out, err := exec.CommandContext(t.Context(), helm, "template", "consentry", filepath.Join(deploy, "helm", "consentry"), "--kube-version", "1.30.0",
		"--set", "image.repository=registry.example/consentry", "--set", "vault.address=https://vault.example:8200",
		"--set", "config.CONSENTRY_ISSUER=https://id.example", "--set", "config.CONSENTRY_JWKS_URL=https://id.example/jwks",
		"--set", "secrets.CONSENTRY_SMTP_PASSWORD.name=mail", "--set", "secrets.CONSENTRY_SMTP_PASSWORD.key=password", "--set", "vault.caSecret=vault-ca", "--set", "serviceMonitor.enabled=true").Output()
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := documents(out)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[any]bool{}
	for _, document := range rendered {
		kinds[document["kind"]] = true
	}
	for _, kind := range []string{"Deployment", "Job", "ConfigMap", "Service", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor"} {
		if !kinds[kind] {
			t.Errorf("the chart has no %s", kind)
		}
	}
}

// TestCitusKnowsEveryTable: each table is spread, or named among those that stay on the coordinator.
func TestCitusKnowsEveryTable(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(deploy, "citus", "distribute.sql"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../internal/store/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no migrations")
	}
	var tables []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`).FindAllSubmatch(content, -1) {
			tables = append(tables, string(match[1]))
		}
	}
	words := regexp.MustCompile(`\w+`).FindAllString(string(script), -1)
	for _, table := range tables {
		if !slices.Contains(words, table) {
			t.Errorf("distribute.sql says nothing of the table %s", table)
		}
	}
	for _, match := range regexp.MustCompile(`SELECT (?:create_|citus_add_local_table)\w+\('(\w+)'`).FindAllStringSubmatch(string(script), -1) {
		if !slices.Contains(tables, match[1]) {
			t.Errorf("distribute.sql spreads %s, which is not a table", match[1])
		}
	}
}

// TestContainerCopiesSourceOnly: what a working directory also holds, tokens among it, stays out of the image.
func TestContainerCopiesSourceOnly(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(deploy, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "COPY" || strings.HasPrefix(words[1], "--from") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if !slices.Contains([]string{"go.mod", "go.sum", "cmd", "internal", "policies", "schemas"}, source) {
				t.Errorf("the image copies %s", source)
			}
		}
	}
}
