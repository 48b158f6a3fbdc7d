package rotation

import (
	"reflect"
	"testing"

	"wso2agent/internal/trust"
)

func TestARefusalIsForgottenWhenThePeerPublishesAnotherCertificate(t *testing.T) {
	of := func(list ...string) map[string][]string { return map[string][]string{"wso2is": list} }
	before := trust.Refusals{Suspected: of("bad", "gone"), Refused: of("worse"), Acquitted: of("good")}
	for name, c := range map[string]struct {
		peers map[string][]Certificate
		want  trust.Refusals
	}{
		"a missing statement":        {nil, before},
		"one of another peer":        {map[string][]Certificate{"wso2am": {{Fingerprint: "next"}}}, before},
		"one that still has some":    {map[string][]Certificate{"wso2is": {{Fingerprint: "next"}, {Fingerprint: "bad"}}}, trust.Refusals{Suspected: of("bad"), Refused: map[string][]string{}, Acquitted: of("good")}},
		"one that still has another": {map[string][]Certificate{"wso2is": {{Fingerprint: "worse"}}}, trust.Refusals{Suspected: map[string][]string{}, Refused: of("worse"), Acquitted: of("good")}},
		"one that has none":          {map[string][]Certificate{"wso2is": {{Fingerprint: "next"}}}, trust.Refusals{Suspected: map[string][]string{}, Refused: map[string][]string{}, Acquitted: of("good")}},
	} {
		if got := forget(before, c.peers); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
