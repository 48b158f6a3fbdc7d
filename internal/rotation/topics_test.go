package rotation

import "testing"

func TestAMessageIsLoggedWhenItsTopicHasAnotherState(t *testing.T) {
	var topics Topics
	waits := Message{Topic: "restart", Text: "waits", Args: []any{"for", "wso2is"}}
	for _, c := range []struct {
		name string
		m    Message
		due  bool
	}{
		{"the first one", waits, true},
		{"the same again", waits, false},
		{"with another attribute", Message{Topic: "restart", Text: "waits", Args: []any{"for", "wso2am"}}, true},
		{"the first one again", waits, true},
		{"of another topic", Message{Topic: "import", Text: "waits", Args: []any{"for", "wso2is"}}, true},
		{"with a state", Message{Topic: "paced", State: "often", Text: "once", Args: []any{"until", 1}}, true},
		{"with the same state and another attribute", Message{Topic: "paced", State: "often", Text: "once", Args: []any{"until", 2}}, false},
		{"without a topic", Message{Text: "switched"}, true},
		{"without a topic again", Message{Text: "switched"}, true},
	} {
		if due := topics.Due(c.m); due != c.due {
			t.Errorf("%s: due is %t", c.name, due)
		}
	}
	topics.Keep([]Message{waits})
	if topics.Due(waits) || !topics.Due(Message{Topic: "import", Text: "waits", Args: []any{"for", "wso2is"}}) {
		t.Error("after a pass that has one topic, that one is forgotten, or another one is not")
	}
}
