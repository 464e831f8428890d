package testenv

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
)

// Login gives the URL by which a user of the test's own, who is a member of the role and nothing
// else, logs in to the database: as a deployment's service does. The user goes with the test.
func Login(t testing.TB, database, role string) string {
	t.Helper()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal("the database's address is no URL")
	}
	name, password := "login_"+strings.ToLower(rand.Text()[:16]), rand.Text()
	if err := administer(t.Context(), database, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"' IN ROLE "+role); err != nil {
		t.Fatalf("create a log-in user: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(context.WithoutCancel(t.Context()), database, "DROP ROLE "+name); err != nil {
			t.Errorf("drop the log-in user: %v", err)
		}
	})
	address.User = url.UserPassword(name, password)
	return address.String()
}
