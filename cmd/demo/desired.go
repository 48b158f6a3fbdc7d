package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Another file of the desired state: planned, applied, and planned again.

// shop is a file of the desired state: an API whose operations, endpoints and scope the agent sets, and an application with a key.
const shop = `apis:
  - name: Stock API
    version: 1.0.0
    context: /stock
    description: %s
    tags: [stock]
    scopes: [{name: "stock:write", roles: [admin]}]
    operations:
      - {target: "/items", verb: GET}
      - {target: "/items", verb: POST, scopes: ["stock:write"]}
    endpoints: {production: {url: "%s", timeout: 20s}}
applications:
  - name: Shop
    subscriptions: [{api_name: Stock API}]
    keys: [{type: PRODUCTION, key_manager: WSO2-IS}]
`

// planned shows a plan, applies it, and plans again.
func (s *show) planned() error {
	path := filepath.Join(s.world.dir, "shop.yaml")
	if err := s.write(path, "What is in stock"); err != nil {
		return err
	}
	if err := s.plan(path, "plan: 5 to create, 0 to change"); err != nil {
		return err
	}
	if err := s.agentSays("apply: 5 done, 0 failed", "apply", path); err != nil {
		return err
	}
	if err := s.write(path, "What is in stock, and where"); err != nil {
		return err
	}
	if err := s.plan(path, "plan: 0 to create, 1 to change"); err != nil {
		return err
	}
	if err := s.agentSays("apply: 1 done, 0 failed", "apply", path); err != nil {
		return err
	}
	if err := s.agentSays("plan: no differences", "plan", path); err != nil {
		return err
	}
	if err := s.inStock(); err != nil {
		return err
	}
	return s.pruned()
}

// pruned removes what the file before named and the main file does not name.
func (s *show) pruned() error {
	if err := s.plan(s.world.apiConfig(), "3 to delete", "--prune"); err != nil {
		return err
	}
	if err := s.agentSays("apply: 3 done, 0 failed", "apply", "--prune", s.world.apiConfig()); err != nil {
		return err
	}
	return s.agentSays("plan: no differences", "plan", "--prune", s.world.apiConfig())
}

func (s *show) write(path, description string) error {
	return os.WriteFile(path, fmt.Appendf(nil, shop, description, s.world.backend), 0o600)
}

// plan shows a plan, whose differences are no failure.
func (s *show) plan(path, want string, flags ...string) error {
	out, err := s.world.agent(s.ctx, s.world.am, append(append([]string{"plan"}, flags...), path)...)
	if !strings.Contains(out, want) {
		return fmt.Errorf("agent plan does not say %q: %w\n%s", want, err, out)
	}
	for line := range strings.Lines(out) {
		s.say("%s", strings.TrimRight(line, "\n"))
	}
	return nil
}

// agentSays runs a command of the agent, whose output must have a text, and repeats that text.
func (s *show) agentSays(want string, args ...string) error {
	out, err := s.world.agent(s.ctx, s.world.am, args...)
	if err != nil || !strings.Contains(out, want) {
		return fmt.Errorf("agent %s does not say %q: %w\n%s", strings.Join(args, " "), want, err, out)
	}
	s.say("agent %s: %s", args[0], want)
	return nil
}

// inStock asks API-M itself for what was applied.
func (s *show) inStock() error {
	a, err := s.ask.get("https://"+s.world.am.address+"/api/am/devportal/v3/applications?query=Shop", basic("admin", "admin"))
	var list struct {
		List []struct {
			Name              string
			SubscriptionCount int
		} `json:"list"`
	}
	if err != nil || json.Unmarshal(a.body, &list) != nil || len(list.List) != 1 || list.List[0].SubscriptionCount != 1 {
		return fmt.Errorf("the application with its subscription: %w", unexpected(a, err))
	}
	s.say("API-M lists application %q with %d subscription", list.List[0].Name, list.List[0].SubscriptionCount)
	return nil
}
