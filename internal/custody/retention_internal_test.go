package custody

import "testing"

// River rescues a job from a process that died only when the job has an end.
func TestRetentionJobsEnd(t *testing.T) {
	if limit := (&retentionWorker{}).Timeout(nil); limit <= retentionTurn {
		t.Errorf("a job may take %v, and works for %v", limit, retentionTurn)
	}
}
