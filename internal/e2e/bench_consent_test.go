package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// BenchmarkConsentRatios compares recording consent (record, state, receipt, audit entry, event) with a bare transaction that
// inserts two rows, by 32 clients each.
func BenchmarkConsentRatios(b *testing.B) {
	v := newBench(b, 2000)
	table := ratios{file: "bench-consent.json"}
	sql(b, v.connect(), `CREATE TABLE floor_one (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text, purpose text, at timestamptz)`)
	sql(b, v.connect(), `CREATE TABLE floor_two (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text, purpose text, at timestamptz)`)
	floor := func(int) { v.insertTwo() }
	var next atomic.Int64
	person := func() string { return v.ids[int(next.Add(1))%len(v.ids)] }
	b.Run("over HTTP", func(b *testing.B) {
		lines := make([]*line, 32)
		for i := range lines {
			lines[i] = v.dial(b, http.MethodPost, "/v1/consents", v.steward())
		}
		for b.Loop() {
			floorRate, workRate := rates(9, 2*time.Second, len(lines), floor, func(worker int) {
				if status := lines[worker].send(fmt.Sprintf(`{"subject":{"id":%q},"purpose":"marketing.email","action":"grant"}`, person())); status != http.StatusCreated {
					panic(fmt.Sprint("status ", status))
				}
			})
			table.add(b, ratio{Work: "consent recorded over HTTP, 32 clients, receipt included", Floor: "transaction that inserts two rows", WorkRate: workRate, BaseRate: floorRate, Target: 0.4})
		}
	})
	b.Run("direct", func(b *testing.B) {
		caller := custody.Caller{Caller: privacy.Caller{Client: "crm", Roles: []privacy.Role{privacy.RoleSteward}}}
		for b.Loop() {
			floorRate, workRate := rates(9, 2*time.Second, 32, floor, func(int) {
				id, _ := privacy.ParseSubjectID(person())
				if _, err := v.node.Service.TakeConsent(context.Background(), caller, custody.SubjectRef{ID: id}, custody.Consent{Purpose: "marketing.email", Action: privacy.ActionGrant}, custody.Once{}); err != nil {
					panic(err)
				}
			})
			table.add(b, ratio{Work: "the same, without HTTP", Floor: "the same", WorkRate: workRate, BaseRate: floorRate, Target: 0.4})
		}
	})
	table.report(b)
}

// insertTwo is the floor: a transaction that inserts two rows.
func (v *bench) insertTwo() {
	ctx := context.Background()
	tx, err := v.pool.Begin(ctx)
	for _, name := range []string{"floor_one", "floor_two"} {
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO `+name+` (subject, purpose, at) VALUES ($1, $2, $3)`, "subject", "marketing.email", time.Now())
		}
	}
	if err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil {
		panic(err)
	}
}
