package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// browser is a headless Chromium, driven over WebDriver (W3C).
type browser struct {
	t         *testing.T
	session   string // its URL
	downloads string
}

// openBrowser starts one. Where the machine has none the test is skipped.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Skip("there is no chromedriver")
	}
	b := &browser{t: t, downloads: t.TempDir()}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), driver, "--port=0")
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var address string
	for lines := bufio.NewScanner(output); address == "" && lines.Scan(); {
		if found := regexp.MustCompile(`started successfully on port (\d+)`).FindStringSubmatch(lines.Text()); found != nil {
			address = "http://127.0.0.1:" + found[1]
		}
	}
	var session struct{ SessionID string }
	b.session = address + "/session"
	b.call(http.MethodPost, "", object{"capabilities": object{"alwaysMatch": object{"browserName": "chrome", "goog:loggingPrefs": object{"browser": "ALL"}, "goog:chromeOptions": object{
		"args":  []string{"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--no-first-run"},
		"prefs": object{"download.default_directory": b.downloads}}}}}, &session)
	b.session += "/" + session.SessionID
	t.Cleanup(func() {
		b.call(http.MethodDelete, "", nil, nil)
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return b
}

// call sends a command and reads the value that it is answered with.
func (b *browser) call(method, path string, body, into any) {
	b.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	if body == nil {
		content = nil
	}
	request, err := http.NewRequest(method, b.session+path, bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: status %d, %.300s: %v", method, path, response.StatusCode, answer.Value, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Value, into); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *browser) visit(url string) {
	b.t.Helper()
	b.call(http.MethodPost, "/url", object{"url": "about:blank"}, nil) // else a page that differs behind the # alone is not loaded anew
	b.call(http.MethodPost, "/url", object{"url": url}, nil)
}

// run gives what a script returns.
func (b *browser) run(script string) (value any) {
	b.t.Helper()
	b.call(http.MethodPost, "/execute/sync", object{"script": "return " + script, "args": []any{}}, &value)
	return value
}

func (b *browser) click(selector string) {
	b.t.Helper()
	var element map[string]string
	b.call(http.MethodPost, "/element", object{"using": "css selector", "value": selector}, &element)
	for _, id := range element {
		b.call(http.MethodPost, "/element/"+id+"/click", object{}, nil)
	}
}

// complaints gives what the console says, such as what a page's policy kept it from.
func (b *browser) complaints() (all []string) {
	b.t.Helper()
	var entries []struct{ Level, Message string }
	b.call(http.MethodPost, "/se/log", object{"type": "browser"}, &entries)
	for _, e := range entries {
		all = append(all, e.Level+" "+e.Message)
	}
	return all
}

// Somebody opens the link to their file: nothing happens until they press the button. Then they have the file, and the link is gone from the
// address; to open it again says that it was used.
func TestExportPageInABrowser(t *testing.T) {
	b := openBrowser(t)
	v := setup(t)
	id := v.store("browsing@example.com", object{"email": "browsing@example.com", "country": "DE", "given_name": "Ada"})
	link := v.link(v.askFor("access", id), id)
	before := v.exportRows()
	b.visit(v.url + "/export?l=de#" + link)
	if heading := b.run(`document.querySelector("h1").innerText`); heading != "Ihre Daten" {
		t.Errorf("the page says %v", heading)
	}
	if after := v.exportRows(); after != before {
		t.Errorf("looking changes something: %s, before %s", after, before)
	}
	b.click("#confirm")
	said := func() string { return fmt.Sprint(b.run(`document.getElementById("text").innerText`)) }
	waitUntil(t, func() bool { return !strings.HasPrefix(said(), "Drücken Sie") })
	if text := said(); !strings.HasPrefix(text, "Die Datei wurde heruntergeladen.") {
		t.Errorf("the page says %s", text)
	}
	var file []byte
	waitUntil(t, func() bool {
		content, err := os.ReadFile(filepath.Join(b.downloads, "my-data.zip"))
		file = content
		return err == nil && len(content) > 0
	})
	if files := unzip(t, file); !strings.Contains(files["data.json"], "browsing@example.com") || files["index.html"] == "" {
		t.Errorf("the file has %d files", len(files))
	}
	if hash := b.run(`location.hash + document.querySelectorAll("button").length`); hash != "0" {
		t.Errorf("behind it is left: %v", hash)
	}
	if said := b.complaints(); len(said) != 0 {
		t.Errorf("the browser complains: %s", said)
	}

	b.visit(v.url + "/export#" + link)
	b.click("#confirm")
	waitUntil(t, func() bool { return !strings.HasPrefix(said(), "Press the button") })
	if text := said(); !strings.HasPrefix(text, "This link does not work.") {
		t.Errorf("the second time the page says %s", text)
	}
}
