package plan

import (
	"fmt"
	"strconv"
	"time"

	"wso2agent/internal/desired"
)

// timeRows has the rows of time-outs, retries and suspension of a side. The server keeps all of them as texts, times in milliseconds.
// A field that nobody sets is missing, and then the gateway has values of its own. The file has one value for all addresses of a side.
func timeRows(path, side string, get func(api) desired.Endpoint) []mapping {
	suspend := func(a api) desired.Group[desired.Suspension] { return get(a).Suspend }
	return []mapping{
		configRow(path+".timeout_action", side, "actionSelect", func(a api) desired.Text { return actionOf(get(a)) }, asText),
		timeoutRow(path, side, get),
		configRow(path+".retries", side, "retryTimeOut", func(a api) desired.Number { return get(a).Retries }, asNumber),
		configRow(path+".retry_delay", side, "retryDelay", func(a api) desired.Span { return get(a).RetryDelay }, asSpan),
		configRow(path+".retry_codes", side, "retryErroCode" /* sic */, func(a api) desired.List[int] { return get(a).RetryCodes }, asCodes),
		configRow(path+".suspend.codes", side, "suspendErrorCode", func(a api) desired.List[int] {
			return within(suspend(a), func(s desired.Suspension) desired.List[int] { return s.Codes })
		}, asCodes),
		configRow(path+".suspend.initial", side, "suspendDuration", func(a api) desired.Span {
			return within(suspend(a), func(s desired.Suspension) desired.Span { return s.Initial })
		}, asSpan),
		configRow(path+".suspend.maximum", side, "suspendMaxDuration", func(a api) desired.Span {
			return within(suspend(a), func(s desired.Suspension) desired.Span { return s.Maximum })
		}, asSpan),
		configRow(path+".suspend.factor", side, "factor", func(a api) desired.Number {
			return within(suspend(a), func(s desired.Suspension) desired.Number { return s.Factor })
		}, asNumber),
	}
}

// actionOf returns what the gateway does after the time-out. A reset one is what timeoutRow writes next to a time-out.
func actionOf(e desired.Endpoint) desired.Text {
	if e.TimeoutAction.Null && e.Timeout.Set && !e.Timeout.Null {
		return given(afterTimeout)
	}
	return e.TimeoutAction
}

// afterTimeout is what the portal writes.
const afterTimeout = "fault"

// timeoutRow also writes what the gateway does after the time-out if nobody has said it: what the portal writes.
func timeoutRow(path, side string, get func(api) desired.Endpoint) mapping {
	row := configRow(path+".timeout", side, "actionDuration", func(a api) desired.Span { return get(a).Timeout }, asSpan)
	put := row.put
	row.put = func(body Object, value any) {
		put(body, value)
		for _, b := range blocksAt(body, side) {
			if value != nil && textAt(b, "config.actionSelect", "") == "" {
				putAt(b, "config.actionSelect", afterTimeout)
			}
		}
	}
	return row
}

// kindOfValue is how a value of the file stands on the server.
type kindOfValue struct {
	read  func(any) any // into the form of a difference
	write func(any) any // and back
}

var (
	asText   = kindOfValue{func(v any) any { return v }, func(v any) any { return v }}
	asNumber = kindOfValue{readNumber, func(v any) any { return strconv.Itoa(v.(int)) }}
	asSpan   = kindOfValue{readSpan, writeSpan}
	asCodes  = kindOfValue{readCodes, func(v any) any { return listOf(v.([]string)) }}
)

func readNumber(v any) any {
	if n, err := strconv.Atoi(textOf(v)); err == nil {
		return n
	}
	return v
}

// readSpan returns a time such as 30s.
func readSpan(v any) any {
	if ms, err := strconv.ParseInt(textOf(v), 10, 64); err == nil {
		return (time.Duration(ms) * time.Millisecond).String()
	}
	return v
}

func writeSpan(v any) any {
	span, err := time.ParseDuration(v.(string))
	if err != nil {
		panic(err) // cannot happen: the text comes from a time.Duration
	}
	return strconv.FormatInt(span.Milliseconds(), 10)
}

// readCodes returns error codes as a set of texts. The server may have numbers, which the portal of earlier versions wrote.
func readCodes(v any) any {
	list, _ := v.([]any)
	var codes []string
	for _, item := range list {
		codes = append(codes, textOf(item))
	}
	if len(codes) == 0 {
		return nil
	}
	return set(codes)
}

// configRow maps a field of the configuration of each address.
func configRow[F any](path, side, key string, of func(api) desired.Field[F], as kindOfValue) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) {
			a := from.(api)
			f := of(a)
			if f.Set && f.Null {
				return nil, true
			}
			return shown(f.Value), f.Set
		},
		have: func(o Object) any { return common(blocksAt(o, side), key, as.read) },
		put: func(body Object, value any) {
			for _, b := range blocksAt(body, side) {
				if value != nil {
					putAt(b, "config."+key, as.write(value))
				} else if config, is := b["config"].(map[string]any); is {
					delete(config, key)
				}
			}
		},
	}
}

// shown returns a value of the file in the form of a difference.
func shown(value any) any {
	switch v := value.(type) {
	case time.Duration:
		return v.String()
	case []desired.Number:
		var codes []string
		for _, n := range v {
			codes = append(codes, strconv.Itoa(n.Value))
		}
		return set(codes)
	}
	return value
}

// common returns the value that all addresses have, or a text with all values if they have different ones.
func common(blocks []Object, key string, read func(any) any) any {
	var first any
	for i, b := range blocks {
		value := at(b, "config."+key)
		if value == "" {
			value = nil
		}
		value = read(value)
		if i == 0 {
			first = value
		} else if !equal(first, value) {
			return fmt.Sprintf("not the same for all addresses: %v, %v", first, value)
		}
	}
	return first
}
