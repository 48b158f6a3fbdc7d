package apply

import (
	"errors"
	"testing"

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
