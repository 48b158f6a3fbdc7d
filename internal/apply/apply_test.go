package apply

import "testing"

// A file of which the servers have everything changes nothing.
func TestNothingToDo(t *testing.T) {
	s := start(t, nil)
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	if report := s.apply(s.read("gateway: {host: gw.example}\n", t.TempDir()), Options{}); len(report.Outcomes) > 0 || len(report.Problems) > 0 {
		t.Errorf("%+v", report)
	}
	if requests := s.amRequests.List(); len(requests) > 0 {
		t.Errorf("%v", requests)
	}
}
