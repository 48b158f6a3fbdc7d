package apply

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
)

func TestOnlyWhatARunHasRemovedIsGone(t *testing.T) {
	deleted := func(kind, name, id string, err error) Outcome {
		return Outcome{Change: plan.Change{Action: plan.Delete, Kind: kind, Name: name, Have: plan.Left{OwnedObject: plan.OwnedObject{ID: id}}}, Err: err}
	}
	report := Report{Outcomes: []Outcome{
		deleted(plan.KindApplication, "Gone", "1", nil), deleted(plan.KindApplication, "Refused", "2", errors.New("refused")),
		deleted(plan.KindKey, "production of key manager IS", "mapping", nil), {Change: plan.Change{Action: plan.Create, Kind: plan.KindApplication, Name: "New"}},
	}}
	for _, test := range []struct {
		key  keysfile.Key
		gone bool
	}{
		{keysfile.Key{Application: "Gone"}, true}, {keysfile.Key{Application: "Refused", MappingID: "other"}, false},
		{keysfile.Key{Application: "Kept", MappingID: "mapping"}, true}, {keysfile.Key{Application: "New"}, false},
	} {
		if removed(report, test.key) != test.gone {
			t.Errorf("%+v is gone: %t", test.key, !test.gone)
		}
	}
}

// TestANewConsumerKeyIsToldOnce: somebody deletes the keys of an application, and the next run makes others.
func TestANewConsumerKeyIsToldOnce(t *testing.T) {
	s, folder := onlyAPIs(t), t.TempDir()
	want := s.read("applications: [{name: Shop, keys: [{type: PRODUCTION}, {type: SANDBOX}]}]\n", folder)
	keys := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(folder, "keys.json")}}
	var log strings.Builder
	keep := func() Report {
		t.Helper()
		log.Reset()
		report, err, unwritten := Keep(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), s.client, s.settings, keys, nil, "agent apply", "", want, Options{})
		must(t, errors.Join(err, unwritten, report.Err()))
		return report
	}
	const told = `msg="the application has another consumer key than before" application=Shop type=PRODUCTION "key manager"="Resident Key Manager" was=`
	first := keep()
	if strings.Contains(log.String(), "another consumer key") {
		t.Errorf("the first run: %s", &log)
	}
	must(t, s.clients().DevPortal.DeleteKeys(t.Context(), first.Keys[0].ApplicationID, first.Keys[0].MappingID))
	second := keep()
	line := told + first.Keys[0].ConsumerKey + " now=" + second.Keys[0].ConsumerKey
	if strings.Count(log.String(), "another consumer key") != 1 || !strings.Contains(log.String(), line) {
		t.Errorf("the log lacks\n%s\nand has\n%s", line, &log)
	}
	if keep(); strings.Contains(log.String(), "another consumer key") {
		t.Errorf("the third run: %s", &log)
	}
}
