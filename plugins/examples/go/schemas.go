package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "example.com/script/executorv1"
)

const configSchema = `{
  "type": "object",
  "properties": {
    "interpreters": {
      "type": "array",
      "items": { "type": "string" },
      "description": "The interpreters that jobs may choose; without it any that this node has."
    }
  },
  "additionalProperties": false
}`

const paramsSchema = `{
  "type": "object",
  "properties": {
    "Script": { "type": "string", "minLength": 1, "description": "The text of the script." },
    "Interpreter": { "type": "string", "minLength": 1, "default": "sh", "description": "What runs it: sh, python3, node, ..." },
    "Arguments": { "type": "array", "items": { "type": "string" }, "description": "The script's arguments." }
  },
  "required": ["Script"],
  "additionalProperties": false
}`

type config struct {
	Interpreters []string `json:"interpreters"`
}

// params are Engine.Params of a task.
type params struct {
	Script      string   `json:"Script"`
	Interpreter string   `json:"Interpreter,omitempty"`
	Arguments   []string `json:"Arguments,omitempty"`
}

func parseConfig(text string) (config, error) {
	var parsed config
	if err := parse(text, &parsed); err != nil {
		return parsed, refuse(codes.InvalidArgument, "config: "+err.Error())
	}
	return parsed, nil
}

// parseParams answers the params of work that can run here; FailedPrecondition says why it cannot.
func (c config) parseParams(asked *pb.RunSpec) (parsed params, err error) {
	cannot := func(why string) error { return refuse(codes.FailedPrecondition, why) }
	if why := unsupported(asked); why != "" {
		return parsed, cannot(why)
	}
	parsed.Interpreter = "sh"
	if err := parse(asked.ParamsJson, &parsed); err != nil {
		return parsed, cannot("Engine.Params: " + err.Error())
	}
	if parsed.Script == "" {
		return parsed, cannot("Engine.Params.Script: missing")
	}
	if c.Interpreters != nil && !contains(c.Interpreters, parsed.Interpreter) {
		return parsed, cannot("Engine.Params.Interpreter: this node allows " + strings.Join(c.Interpreters, ", "))
	}
	if _, err := exec.LookPath(parsed.Interpreter); err != nil {
		return parsed, cannot("Engine.Params.Interpreter: this node has no " + parsed.Interpreter)
	}
	return parsed, nil
}

// unsupported says what the job asks for and cannot have here, for people.
func unsupported(asked *pb.RunSpec) string {
	switch {
	case len(asked.GetMounts()) > 0:
		return "InputSources, ResultPaths: not supported by executor script, whose scripts run in a folder of their own"
	case asked.GetLimits().GetDiskBytes() > 0:
		return "Resources.Disk: not supported by executor script, which does not bound what a script writes"
	case asked.GetNetwork() == "bridge" || asked.GetNetwork() == "http":
		return "Network " + asked.Network + ": not supported by executor script, whose scripts have the network of the node"
	}
	return ""
}

func parse(text string, into interface{}) error {
	if text == "" {
		text = "{}"
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// refuse makes an error for people. It travels in a header, which has little room.
func refuse(code codes.Code, why string) error {
	const most = 1000
	if len(why) > most {
		why = strings.ToValidUTF8(why[:most], "")
	}
	return status.Error(code, why)
}

func contains(all []string, wanted string) bool {
	for _, one := range all {
		if one == wanted {
			return true
		}
	}
	return false
}
