package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// A publication holds at once and everywhere: of 10,000 requests on two processes, while revisions are published
// and rolled back among them, none that starts after the call has returned is decided by the revision before.
func TestPolicyPublishThenDecideElsewhere(t *testing.T) {
	const (
		requests = 10_000
		workers  = 12
		changes  = 14 // in force: a publication, then there and back again
	)
	v := setup(t)
	other := v.process()
	v.client.Transport = &http.Transport{MaxIdleConnsPerHost: 2 * workers}
	id, _ := v.permitted("publish@example.com")
	ask := fmt.Sprintf(`{"purpose":"marketing.email","attributes":["email"],"subjects":[{"id":%q}]}`, id)
	consumer := v.consumer()
	before := v.inForce()
	next := v.approve(v.submit(v.edit(v.begin("Under load"), `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)))

	// The revisions in the order in which they came into force, and how many of the calls that put them
	// there have returned: a request may be decided by the last one that had, or by any later.
	var mu sync.Mutex
	order, returned := []string{before}, 1
	enforce := func(revision string, call func()) {
		mu.Lock()
		order = append(order, revision)
		mu.Unlock()
		call()
		mu.Lock()
		returned = len(order)
		mu.Unlock()
	}
	allowed := func(from int, revision string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range order[from-1:] {
			if name == revision {
				return true
			}
		}
		return false
	}
	const between = requests / (changes + 2) // so that the changes lie among the requests, whatever the machine
	milestones := make(chan struct{}, requests/between)
	var asked, fresh atomic.Int64
	var running sync.WaitGroup
	for w := range workers {
		node := []string{v.url, other}[w%2]
		running.Go(func() {
			for n := asked.Add(1); n <= requests; n = asked.Add(1) {
				if n%between == 0 {
					milestones <- struct{}{}
				}
				mu.Lock()
				from := returned
				mu.Unlock()
				a := v.call(http.MethodPost, node+"/v1/disclosures", consumer, ask)
				var d disclosed
				if a.status != http.StatusOK {
					t.Errorf("status %d: %.300s", a.status, a.body)
					return
				}
				a.into(t, &d)
				if !allowed(from, d.Revision) {
					t.Errorf("decided by %s, which was replaced before the request began", d.Revision)
					return
				}
				if d.Revision == next.Revision {
					fresh.Add(1)
					if bytes.Contains(a.body, []byte(`"publish@example.com"`)) {
						t.Error("the new revision masks the address, and it came out plain")
						return
					}
				}
			}
		})
	}
	go func() {
		running.Wait()
		close(milestones)
	}()
	<-milestones
	enforce(next.Revision, func() { v.publish(next) })
	for n := range changes - 1 {
		<-milestones
		to := []string{before, next.Revision}[n%2]
		enforce(to, func() {
			v.post(revisions+"/"+to+"/rollback", v.officer(), object{"reason": "There and back"}, http.StatusOK)
		})
	}
	running.Wait()
	if fresh.Load() == 0 || fresh.Load() >= requests {
		t.Errorf("%d of %d requests were decided by the new revision", fresh.Load(), requests)
	}
}

// A node that is started again leaves in force what officers decided, their roll backs too.
func TestPolicyOutlivesRestarts(t *testing.T) {
	v := setup(t)
	before := v.inForce()
	d := v.enact("Mask", `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)
	v.start()
	if got := v.inForce(); got != d.Revision {
		t.Errorf("after a restart %s is in force", got)
	}
	v.post(revisions+"/"+before+"/rollback", v.officer(), object{"reason": "Back"}, http.StatusOK)
	v.post(revisions+"/"+d.Revision+"/rollback", v.officer(), object{"reason": "And there"}, http.StatusOK)
	v.start()
	if got := v.inForce(); got != d.Revision {
		t.Errorf("after a roll back and a restart %s is in force", got)
	}
}
