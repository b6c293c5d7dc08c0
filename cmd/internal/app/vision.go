package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"text/tabwriter"

	"github.com/roadcomb/roadcomb/pkg/priority"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/vision/detect"
	"github.com/roadcomb/roadcomb/vision/eval"
	"github.com/roadcomb/roadcomb/vision/features"
	"github.com/roadcomb/roadcomb/vision/lab"
	"github.com/roadcomb/roadcomb/vision/models"
	visionworker "github.com/roadcomb/roadcomb/vision/worker"
)

type modelsCmd struct {
	Pull   modelsPullCmd   `cmd:"" help:"Get models into a folder, each checked against its SHA-256."`
	List   modelsListCmd   `cmd:"" help:"List the models of the manifest and what a folder holds."`
	Verify modelsVerifyCmd `cmd:"" help:"Check every model of a folder against its SHA-256."`
}

type modelsDir struct {
	Models string `help:"Folder of models; empty for the ones inside the program." env:"ROADCOMB_MODELS" type:"path" placeholder:"DIR"`
}

// hideFlag is the classes that are looked for besides faces and plates.
type hideFlag struct {
	Hide []string `help:"Looked for besides faces and plates: person, vehicle. Needs a model for it in --models." enum:"person,vehicle" env:"ROADCOMB_HIDE" placeholder:"CLASS"`
}

func (f hideFlag) classes() (out []survey.Class) {
	for _, c := range f.Hide {
		out = append(out, survey.Class(c))
	}
	return out
}

type modelsPullCmd struct {
	Dir   string   `arg:"" help:"Folder to put them in." type:"path"`
	Names []string `arg:"" optional:"" help:"Models and sets by name; none means the default set. streetguard-hide is the default set and a model of persons and vehicles."`
}

func (c *modelsPullCmd) Run(ctx context.Context, e *environ) error {
	return models.Pull(ctx, c.Dir, models.PullOptions{Names: c.Names, Log: e.stdout})
}

type modelsListCmd struct {
	modelsDir
	JSON bool `help:"As JSON."`
}

func (c *modelsListCmd) Run(e *environ) error {
	list, err := models.List(c.Models)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, list)
	}
	tw := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "MODEL\tVERSION\tFINDS\tLICENCE\tSTATE")
	for _, s := range list {
		fmt.Fprintf(tw, "%s\t%s\t%v\t%s\t%s\n", s.Name, s.Version, s.Classes, s.Licence, s.State)
	}
	return tw.Flush()
}

type modelsVerifyCmd struct{ modelsDir }

func (c *modelsVerifyCmd) Run(e *environ) error {
	if err := models.Verify(c.Models); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "ok")
	return nil
}

type detectCmd struct {
	modelsDir
	hideFlag
	Paths []string `arg:"" help:"Images, and folders of them."` // printed as they were given
	JSON  bool     `help:"One JSON line per image (the only form; kept so that scripts can say it)."`
}

func (detectCmd) Help() string {
	return "Prints for each image one line: {\"file\",\"width\",\"height\",\"ms\",\"boxes\":[{\"class\",\"x\",\"y\",\"w\",\"h\",\"confidence\"}]}, in pixels of the upright image, origin top left. Exit code 3 when an image could not be looked at."
}

func (c *detectCmd) Run(ctx context.Context, e *environ) error {
	g, err := openGuard(c.Models, c.classes()...) // images side by side, a thread each
	if err != nil {
		return exit{ExitPrivacy, err.Error()}
	}
	defer g.close()
	failed, err := eval.Detect(ctx, g.Guard, c.Paths, e.stdout)
	if err == nil && failed > 0 {
		return exit{ExitRejected, fmt.Sprintf("%d of the images could not be looked at", failed)}
	}
	return err
}

type evalCmd struct {
	Redaction evalRedactionCmd `cmd:"" help:"Measure detection and redaction on images with known boxes."`
}

type evalRedactionCmd struct {
	modelsDir
	hideFlag
	Images string `help:"Folder of images." required:"" type:"path" placeholder:"DIR"`
	Truth  string `help:"CSV with header file,class,x,y,w,h (pixels of the upright image, origin top left); a row without class names an image without boxes, no row at all that none has any." required:"" type:"path" placeholder:"CSV"`
	JSON   bool   `help:"As JSON."`
}

func (c *evalRedactionCmd) Run(ctx context.Context, e *environ) error {
	g, err := openGuardWith(c.Models, detect.Options{Threads: runtime.GOMAXPROCS(0)}, c.classes()...)
	if err != nil {
		return exit{ExitPrivacy, err.Error()}
	}
	defer g.close()
	r, err := eval.Redaction(ctx, g.Guard, c.Images, c.Truth)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(e.stdout, r)
	}
	return r.Markdown(e.stdout)
}

// labCmd is the child process that native code runs in.
type labCmd struct {
	modelsDir
	Hide      []string `help:"Hidden besides faces and plates."`
	Rehearses bool     `help:"The network rehearses with simulated drives: the simulator's detector may be used."`
	Nice      int      `help:"How nice to be to other processes."`
}

func (c *labCmd) Run() error {
	_ = priority.Yield(c.Nice) // nothing depends on it, and a sandbox may forbid it
	return lab.Main(func() (lab.Tools, error) {
		finder := &features.Finder{}
		g, err := openGuard(c.Models, hideFlag{c.Hide}.classes()...)
		g, err = realGuard(g, err, c.Rehearses)
		if err != nil {
			return lab.Tools{Err: err}, nil // it can still decode and rate
		}
		// Text is looked for where its model is installed, in the folder or by set-up; nothing depends on it.
		set, err := models.OpenOne(c.Models, features.TextModel)
		if errors.Is(err, models.ErrNone) {
			set, err = models.OpenOne("", features.TextModel)
		}
		if err == nil {
			if finder.Text, err = detect.Open(g.rt, features.ForText(set), detect.Options{}); err != nil {
				return lab.Tools{}, err
			}
		}
		return lab.Tools{Guard: g.Guard, Spotter: finder}, nil
	})
}

type visionCmd struct {
	Rerun  visionRerunCmd  `cmd:"" help:"Redact frames again from the private originals, while they exist."`
	Remove visionRemoveCmd `cmd:"" help:"Take a published frame down; its row stays as a tombstone."`
}

type visionRerunCmd struct {
	stateSettings
	Model       string `help:"Only frames that this model (name in the manifest) has not looked at." placeholder:"NAME"`
	Drive       string `help:"Only frames of this drive." placeholder:"ID"`
	Quarantined bool   `help:"Only frames that are held back."`
}

func (visionRerunCmd) Help() string { return "Enqueues the work; workers do it." }

func (c *visionRerunCmd) Run(ctx context.Context, e *environ) error {
	f := visionworker.RerunFilter{Drive: survey.DriveID(c.Drive), Quarantined: c.Quarantined}
	if c.Model != "" {
		m, err := models.Default()
		if err != nil {
			return err
		}
		mo, ok := m.Model(c.Model)
		if !ok {
			return exit{ExitUsage, fmt.Sprintf("no model %q; roadcomb models list shows them", c.Model)}
		}
		f.NotBy = mo.SHA256
	}
	db, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	defer db.Close()
	return audited(ctx, e, db, "rerun-vision", "", func() (string, error) {
		n, err := visionworker.Rerun(ctx, db, f)
		if err == nil {
			fmt.Fprintf(e.stdout, "%d parts enqueued\n", n)
		}
		return fmt.Sprintf("model=%s, drive=%s, quarantined=%v, parts=%d", c.Model, c.Drive, c.Quarantined, n), err
	})
}

type visionRemoveCmd struct {
	settings
	Frame string `arg:"" help:"Frame id."`
}

func (c *visionRemoveCmd) Run(ctx context.Context, e *environ) error {
	return withPlatform(ctx, c.settings, e, func(p *platform) error {
		err := audited(ctx, e, p.db, "remove-frame", "id="+c.Frame, func() (string, error) {
			return "", visionworker.Remove(ctx, p.db, p.store, survey.FrameID(c.Frame))
		})
		if err == nil {
			fmt.Fprintln(e.stdout, "removed")
		}
		return err
	})
}
