package testenv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Made is everything that bootstrap makes in API-M, which answers at base, line by line with its ids, for comparing. Two
// lists that are equal show that nothing was made twice, and nothing anew.
func Made(client *http.Client, base, password string) (things []string, err error) {
	get := func(path string, args ...any) (list []map[string]any) {
		if err == nil {
			list, err = listOf(client, base+fmt.Sprintf(path, args...), password)
		}
		return list
	}
	for _, api := range get("/api/am/publisher/v4/apis?limit=100") {
		things = append(things, fmt.Sprint("API ", api["name"], " ", api["id"], " ", api["lifeCycleStatus"]))
		for _, r := range get("/api/am/publisher/v4/apis/%s/revisions", api["id"]) {
			things = append(things, fmt.Sprint("revision ", r["id"]))
		}
	}
	for _, m := range get("/api/am/admin/v4/key-managers") {
		things = append(things, fmt.Sprint("manager of keys ", m["name"], " ", m["id"]))
	}
	for _, a := range get("/api/am/devportal/v3/applications?limit=100") {
		id := a["applicationId"]
		things = append(things, fmt.Sprint("application ", a["name"], " ", id))
		for _, s := range get("/api/am/devportal/v3/subscriptions?limit=100&applicationId=%s", id) {
			things = append(things, fmt.Sprint("subscription ", s["subscriptionId"]))
		}
		for _, k := range get("/api/am/devportal/v3/applications/%s/oauth-keys", id) {
			things = append(things, fmt.Sprint("key ", k["consumerKey"]))
		}
	}
	slices.Sort(things)
	return things, err
}

func listOf(client *http.Client, address, password string) ([]map[string]any, error) {
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("admin", password)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ List []map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: HTTP %d, %w", address, resp.StatusCode, err)
	}
	return answer.List, nil
}

// Count counts the lines that begin with prefix.
func Count(lines []string, prefix string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}
