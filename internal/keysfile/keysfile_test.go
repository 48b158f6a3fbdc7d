package keysfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// several are keys of two applications, one of which has keys of two key managers.
var several = []Key{
	{"Orders App", "o-1", "SANDBOX", "WSO2-IS", "k-sand", "s-sand", "https://is/oauth2/token", "m-1"},
	{"Orders App", "o-1", "PRODUCTION", "WSO2-IS", "k-prod", "s-prod", "https://is/oauth2/token", "m-2"},
	{"2nd & last", "l-1", "PRODUCTION", "WSO2-IS", "k-last", "", "https://is/oauth2/token", ""},
	{"Orders App", "o-1", "PRODUCTION", "Resident Key Manager", "k-res", "s-res", "https://am/oauth2/token", "m-3"},
}

func TestTheJSONShowsTheFirstApplicationAndAllOfThem(t *testing.T) {
	const sandKey = `"consumerKey": "k-sand",
"consumerSecret": "s-sand",
"keyManager": "WSO2-IS",
"tokenEndpoint": "https://is/oauth2/token",
"keyMappingId": "m-1"
}`
	const prodKey = `"consumerKey": "k-prod",
"consumerSecret": "s-prod",
"keyManager": "WSO2-IS",
"tokenEndpoint": "https://is/oauth2/token",
"keyMappingId": "m-2"
}`
	const lastKey = `"consumerKey": "k-last",
"consumerSecret": "",
"keyManager": "WSO2-IS",
"tokenEndpoint": "https://is/oauth2/token"
}`
	const orders = `"application": "Orders App",
"applicationId": "o-1",
"production": {
` + prodKey + `,
"sandbox": {
` + sandKey + `,
`
	const want = `{
` + orders + `"applications": [
{
` + orders + `"keys": [
{
"type": "SANDBOX",
` + sandKey + `,
{
"type": "PRODUCTION",
` + prodKey + `,
{
"type": "PRODUCTION",
"consumerKey": "k-res",
"consumerSecret": "s-res",
"keyManager": "Resident Key Manager",
"tokenEndpoint": "https://am/oauth2/token",
"keyMappingId": "m-3"
}
]
},
{
"application": "2nd \u0026 last",
"applicationId": "l-1",
"production": {
` + lastKey + `,
"keys": [
{
"type": "PRODUCTION",
` + lastKey + `
]
}
]
}
`
	var flat strings.Builder
	for line := range strings.Lines(string(JSON(several))) {
		flat.WriteString(strings.TrimLeft(line, " "))
	}
	if flat.String() != want {
		t.Errorf("got\n%s\nwant\n%s", flat.String(), want)
	}
}

func TestTheJSONIsReadAsItIsWritten(t *testing.T) {
	grouped := []Key{several[0], several[1], several[3], several[2]} // the keys of an application stand together
	for _, keys := range [][]Key{nil, grouped, several[2:3], several[:1]} {
		if got, err := Decode(JSON(keys)); err != nil || !slices.Equal(got, keys) {
			t.Errorf("got %+v, %v, want %+v", got, err, keys)
		}
	}
}

func TestTheJSONOfAnEarlierAgentIsRead(t *testing.T) {
	const earlier = `{
  "application": "App", "applicationId": "1",
  "production": {"consumerKey": "key", "consumerSecret": "secret", "keyManager": "WSO2-IS", "tokenEndpoint": "https://is/oauth2/token", "keyMappingId": "m"}
}`
	want := []Key{{"App", "1", "PRODUCTION", "WSO2-IS", "key", "secret", "https://is/oauth2/token", "m"}}
	if got, err := Decode([]byte(earlier)); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, other := range []string{"", "rubbish", "[]", `{"production": 7}`, `{"production": {"consumerSecret": 7234}}`} {
		if got, err := Decode([]byte(other)); err == nil || got != nil || strings.Contains(err.Error(), "7234") {
			t.Errorf("%s: got %+v, %v", other, got, err)
		}
	}
}

func TestTheFirstKeyIsTheProductionKeyOfTheFirstApplication(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []Key
		want Key
	}{
		{"behind a sandbox key", several, several[1]},
		{"none of the first application", []Key{several[0], several[2]}, Key{}},
		{"no keys", nil, Key{}},
	} {
		if got := First(c.keys); got != c.want {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestAKeyPrintsNoSecret(t *testing.T) {
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(form, several); strings.Contains(text, "s-prod") {
			t.Errorf("%s prints the secret: %s", form, text)
		}
	}
}

// FuzzDecode: what is read is written and read as the same, and nothing ends the agent.
func FuzzDecode(f *testing.F) {
	f.Add(JSON(several))
	f.Add([]byte(`{"application":"a","production":{"consumerKey":"k"},"sandbox":{}}`))
	f.Add([]byte(`{"applications":[{"application":"a","keys":[{"type":"t"}]},{"application":"a","keys":[{}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := Decode(data)
		if err != nil {
			return
		}
		written := JSON(keys)
		again, err := Decode(written)
		if err != nil || !reflect.DeepEqual(JSON(again), written) {
			t.Errorf("%v: %s", err, written)
		}
	})
}
