package doctor

import (
	"fmt"
)

func apiTroubles() []Trouble {
	each := func(f *Facts, says func(API) string) (evidence []string) {
		for _, api := range f.APIs.List {
			if text := says(api); text != "" {
				evidence = append(evidence, fmt.Sprintf("API %q %s", api.Name, text))
			}
		}
		return evidence
	}
	return []Trouble{
		{
			ID: "api.undeployed", Name: "A published API has no deployed revision",
			Explains: []string{"api.loaded", "api.called"},
			Symptom:  "The gateway answers 404, although the Developer Portal shows the API.",
			Remedy:   "deploy a revision in the Publisher, or run agent apply",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					if a.offered() && !a.Deployed {
						return "is " + a.State + ", and no revision is deployed"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.not-loaded", Name: "The gateway does not have a deployed API",
			Explains: []string{"api.loaded", "api.called"},
			Symptom:  "404 after a deployment. The gateway loads deployments one after the other, 5 s each unless event_waiting_time is lower, so the last of 20 APIs takes 100 s.",
			Remedy:   "wait; set GATEWAY_EVENT_WAIT for the agent next to API-M. If it stays, see trust.own, and deploy the revision again",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.offered() && a.Deployed && a.Missing {
						return "is deployed, and the gateway answers 404"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.backend", Name: "The gateway does not reach a back end",
			Explains: []string{"api.called"},
			Symptom:  "500 with the code 101503, and 303001 while the gateway leaves the back end alone. A time-out has 101504; the gateway looks at time-outs every 15 s.",
			Remedy:   "check that backend_url works from where API-M runs, and for https upload the back end's certificate in the Publisher",
			find:     func(f *Facts) finding { return likely(f.Logs.of(logBackend)...) },
		},
		{
			ID: "api.unlisted", Name: "API-M's list lacks an API that exists",
			Symptom: "A search does not find the API, and creating it fails with 409. Lists come from an index, which is up to some seconds behind; one without its volume stays empty.",
			Remedy:  "wait some seconds. If it stays, the index is lost: keep repository/database and the folder solr of API-M together, or save the API again",
			find:    func(f *Facts) finding { return likely(f.APIs.Unlisted...) },
		},
		{
			ID: "api.invisible", Name: "The Developer Portal does not show an API of API_CONFIG",
			Symptom: "The API is missing in the Developer Portal, or only some users see it.",
			Remedy:  "publish it in the Publisher, or correct its visibility; agent plan shows the difference, and agent apply makes the change",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					switch {
					case a.Named && !a.offered():
						return "is " + a.State
					case a.Named && a.Hidden != "":
						return "has the visibility " + a.Hidden
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.any-token", Name: "An API accepts any valid token, subscribed or not",
			Explains: []string{"gateway.subscription"},
			Symptom:  "Applications without a subscription call the API: an update with an empty list of policies makes it so, and API-M answers 200.",
			Remedy:   "choose business plans for the API in the Publisher, and deploy a new revision",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.AnyToken && a.offered() {
						return "has no policy that asks for a subscription"
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.other-manager", Name: "An API does not accept tokens of the key manager that makes the keys",
			Explains: []string{"api.called"},
			Symptom:  "900901 or 900908 with a valid token of a subscribed application.",
			Remedy:   "add the key manager to the API in the Publisher (or key_managers of the API in API_CONFIG), and deploy a new revision",
			find: func(f *Facts) finding {
				return likely(each(f, func(a API) string {
					if a.Named && a.offered() && !a.accepts(f.Settings.KeysFrom) {
						return fmt.Sprintf("accepts only tokens of %s, and KEY_MANAGER_NAME is %q", quoted(a.Managers), f.Settings.KeysFrom)
					}
					return ""
				})...)
			},
		},
		{
			ID: "api.no-header", Name: "An API names no header for the token",
			Explains: []string{"api.called", "gateway.wrong-token", "gateway.scope"},
			Symptom:  "The gateway refuses every token, because it looks for the header \"null\". An archive import without authorizationHeader makes it so.",
			Remedy:   "set the authorization header of the API to Authorization in the Publisher, and deploy a new revision",
			find: func(f *Facts) finding {
				return sure(each(f, func(a API) string {
					if a.NoHeader && a.offered() {
						return "has no authorizationHeader"
					}
					return ""
				})...)
			},
		},
	}
}
