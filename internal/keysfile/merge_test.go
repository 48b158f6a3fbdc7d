package keysfile

import (
	"testing"

	"wso2agent/internal/wso2"
)

func TestKeysThatARunDoesNotKnowStay(t *testing.T) {
	key := func(application, id, kind, manager, consumer, secret string) Key {
		return Key{Application: application, ApplicationID: id, Type: kind, KeyManager: manager, ConsumerKey: consumer, ConsumerSecret: wso2.Secret(secret)}
	}
	before := []Key{
		key("First", "1", "PRODUCTION", "Cloak", "cloak", "a"), key("First", "1", "PRODUCTION", "IS", "one", "kept"),
		key("Other", "2", "PRODUCTION", "IS", "two", "b"), key("Anew", "3", "SANDBOX", "IS", "old", "c"),
	}
	now := []Key{key("New", "9", "PRODUCTION", "IS", "new", "d"), key("First", "1", "PRODUCTION", "IS", "one", ""), key("Anew", "4", "PRODUCTION", "IS", "anew", "e")}
	got := ""
	for _, k := range Merge(before, now) {
		got += k.Application + " " + k.ConsumerKey + " " + string(k.ConsumerSecret) + ", "
	}
	if want := "First one kept, First cloak a, Other two b, Anew anew e, New new d, "; got != want {
		t.Errorf("the keys are\n  %s\nand should be\n  %s", got, want)
	}
	if len(Merge(nil, nil)) != 0 || len(Merge(before, nil)) != len(before) || len(Merge(nil, now)) != len(now) {
		t.Error("one side alone is not kept")
	}
}
