package agent

import (
	"strings"

	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
)

// openIS is the fact that the log, the condition and the error of a bootstrap name.
const openIS = "any API subscriber can administer IS"

// verdict is what an open way into IS comes to. A greater one is worse.
type verdict int

const (
	closed   verdict = iota
	accepted         // somebody wants it so: a warning
	pending          // it ends with a restart of IS that is about to come
	open             // a person has to change something
)

// judgement is a verdict, and why and what to do where it is not closed.
type judgement struct {
	verdict
	why, remedy string
}

// String is one line.
func (j judgement) String() string {
	if j.verdict == closed {
		return "API subscribers cannot administer IS"
	}
	return openIS + ": " + j.why + "; " + j.remedy
}

// circumstances are what a judgement needs beside the exposure.
type circumstances struct {
	closing   trust.Closing
	said      bool   // IS's agent has said anything
	all       bool   // SCOPES is all
	container string // IS's
}

// judge is what follows from what was found out about the running IS.
func judge(e verify.Exposure, c circumstances) (worst judgement) {
	var whys, remedies []string
	for _, j := range []judgement{judgeScopes(e.Scopes, c), judgeSCIM11(e.SCIM11, c)} {
		if j.verdict > worst.verdict {
			worst, whys, remedies = j, nil, nil
		}
		if j.verdict == worst.verdict && j.verdict != closed {
			whys, remedies = append(whys, j.why), append(remedies, j.remedy)
		}
	}
	if len(remedies) == 2 && remedies[0] == remedies[1] {
		remedies = remedies[:1]
	}
	worst.why, worst.remedy = strings.Join(whys, ", and "), strings.Join(remedies, "; and ")
	return worst
}

func judgeScopes(granted bool, c circumstances) judgement {
	const why = "IS grants every client the scopes of its administration"
	switch {
	case !granted:
		return judgement{}
	case c.all:
		return judgement{accepted, why + ", because SCOPES is all", "set SCOPES=authorize"}
	case c.closing.AllScopes == trust.AllScopesKept:
		return judgement{accepted, why + ", because its deployment.toml has [oauth] authorize_all_scopes = true", "remove that line and restart IS, or set SETTINGS=override next to IS"}
	case c.closing.AllScopes == trust.AllScopesWaits:
		return judgement{pending, why + " until all applications are authorized", "the agent next to IS authorizes them and then restarts IS"}
	case !c.said || c.closing.Restart == "":
		return judgement{open, why, "set [oauth] authorize_all_scopes = false in its deployment.toml and restart it, or accept this with SCOPES=all"}
	}
	return untilRestart(why, c)
}

func judgeSCIM11(answers bool, c circumstances) judgement {
	const why = "SCIM 1.1 takes every client's token for the client's owner"
	switch {
	case !answers:
		return judgement{}
	case !c.said:
		return judgement{open, why, "put the entry for (.*)/wso2/scim(.*) of docs/security.md before every other [[resource.access_control]] of its deployment.toml and restart it"}
	case !c.closing.SCIM11 || c.closing.Restart == "":
		return judgement{open, why, "check in its deployment.toml that the entry [[resource.access_control]] for (.*)/wso2/scim(.*) is first and unchanged, and that SETTINGS is not none next to IS"}
	}
	return untilRestart(why, c)
}

// untilRestart is the judgement of what IS's deployment.toml closes once IS has read it.
func untilRestart(why string, c circumstances) judgement {
	if c.closing.Restart == trust.RestartByHand {
		return judgement{open, why + " until it is restarted", "restart it by hand, because RESTART is none next to it: docker restart " + c.container}
	}
	return judgement{pending, why + " until it is restarted", "the agent next to IS restarts it"}
}
