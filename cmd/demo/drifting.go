package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// reconcileInterval is how often the agent of the demo compares the servers with the file.
const reconcileInterval = "2s"

// drifted changes an API as a person does in the Publisher. The agent finds that, and the next apply takes the change back.
func (s *show) drifted() error {
	apis := "https://" + s.world.am.address + "/api/am/publisher/v4/apis/"
	list, err := s.ask.get(apis[:len(apis)-1]+"?query=name:Customer", basic("admin", "admin"))
	var found struct {
		List []struct{ ID, Name string } `json:"list"`
	}
	if err != nil || json.Unmarshal(list.body, &found) != nil || len(found.List) == 0 {
		return fmt.Errorf("find an API: %w", unexpected(list, err))
	}
	one := found.List[0]
	a, err := s.ask.get(apis+one.ID, basic("admin", "admin"))
	var api map[string]any
	if err != nil || json.Unmarshal(a.body, &api) != nil {
		return fmt.Errorf("read an API: %w", unexpected(a, err))
	}
	api["description"] = "Changed in the Publisher"
	body, err := json.Marshal(api)
	if err != nil {
		return err
	}
	if a, err = s.ask.do(http.MethodPut, apis+one.ID, basic("admin", "admin"), "application/json", body); err != nil || a.status != http.StatusOK {
		return fmt.Errorf("change an API: %w", unexpected(a, err))
	}
	s.say("somebody changes the description of %s in the Publisher", one.Name)
	said, err := s.drift(http.StatusServiceUnavailable)
	if err != nil {
		return err
	}
	s.say("/readyz/drift: %s", said)
	if err := s.agentSays("apply: 1 done, 0 failed", "apply", s.world.apiConfig()); err != nil {
		return err
	}
	if said, err = s.drift(http.StatusOK); err == nil {
		s.say("/readyz/drift: %s", said)
	}
	return err
}

// drift waits until the agent answers the question for drift with a status, and returns what it says.
func (s *show) drift(status int) (said string, err error) {
	err = s.world.until(s.ctx, fmt.Sprintf("the agent answers /readyz/drift with %d", status), func() bool {
		resp, err := http.Get("http://" + s.world.am.health + "/readyz/drift")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		said = strings.TrimSpace(string(body))
		return resp.StatusCode == status
	})
	return said, err
}
