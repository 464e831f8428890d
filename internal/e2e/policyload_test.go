package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// A publication holds at once and everywhere: revisions are published and rolled back among the requests on two
// processes, and of 10,000 that start when the newest call has returned, before the next begins, none is
// decided by another revision; nor are those under way meanwhile decided by an older one than they may be.
func TestPolicyPublishThenDecideElsewhere(t *testing.T) {
	const (
		requests = 10_000
		workers  = 12
		changes  = 10 // a publication, then there and back again
	)
	v := setup(t)
	other := v.process()
	v.client.Transport = &http.Transport{MaxIdleConnsPerHost: 2 * workers}
	id, _ := v.permitted("publish@example.com")
	ask := fmt.Sprintf(`{"purpose":"marketing.email","attributes":["email"],"subjects":[{"id":%q}]}`, id)
	before := v.inForce()
	next := v.approve(v.submit(v.edit(v.begin("Under load"), `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)))

	load := &policyLoad{order: []string{before}, returned: 1}
	load.changed.L = &load.mu
	consumer := v.consumer()
	var running sync.WaitGroup
	for w := range workers {
		node := []string{v.url, other}[w%2]
		running.Go(func() {
			for {
				from, settled, ok := load.start()
				if !ok {
					return
				}
				a := v.call(http.MethodPost, node+"/v1/disclosures", consumer, ask)
				var d disclosed
				if a.status == http.StatusOK {
					a.into(t, &d)
				}
				plain := bytes.Contains(a.body, []byte(`"publish@example.com"`))
				if !load.end(d.Revision, from, settled) || plain != (d.Revision == before) {
					load.fail()
					t.Errorf("status %d, decided by %s, begun when %d calls had returned: %.300s", a.status, d.Revision, from, a.body)
					return
				}
			}
		})
	}
	load.await(requests / changes)
	for n := range changes {
		to := []string{next.Revision, before}[n%2]
		load.begin(to)
		if n == 0 {
			v.publish(next)
		} else {
			v.post(revisions+"/"+to+"/rollback", v.officer(), object{"reason": "There and back"}, http.StatusOK)
		}
		load.hold()
		load.await(requests / changes)
	}
	load.fail()
	running.Wait()
	t.Logf("%d requests, %d of them decided while nothing was changing", load.asked, load.settled)
	if load.settled < requests {
		t.Errorf("only %d requests were decided while nothing was changing", load.settled)
	}
}

// policyLoad knows the revisions in the order in which they came into force, and how many of the calls that put them
// there have returned: a request may be decided by the last one that had when it began, or by any later.
type policyLoad struct {
	mu             sync.Mutex
	changed        sync.Cond
	order          []string
	returned       int
	asked, settled int
	over           bool
}

// start begins a request, unless it is over. It is settled when no change is under way.
func (l *policyLoad) start() (from int, settled, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.returned, l.returned == len(l.order), !l.over
}

// end reports whether a request that began at from may have been decided by the revision.
func (l *policyLoad) end(revision string, from int, settled bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if settled && from == len(l.order) {
		l.settled++ // nothing changed meanwhile either: there is one right answer
	}
	l.changed.Broadcast()
	return slices.Contains(l.order[from-1:], revision)
}

func (l *policyLoad) begin(revision string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = append(l.order, revision)
}

func (l *policyLoad) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returned = len(l.order)
}

// await lets so many settled requests end.
func (l *policyLoad) await(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.settled + n; l.settled < until && !l.over; {
		l.changed.Wait()
	}
}

func (l *policyLoad) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.changed.Broadcast()
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
