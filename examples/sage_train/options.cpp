#include "options.hpp"

#include "help_format.hpp"
#include "input_error.hpp"

#include <array>
#include <charconv>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

namespace sage_train {

namespace {

std::string summary_of_methods() {
  std::string text = "Methods to compare, separated by commas:\n";
  for (method const& m : methods) text += "- " + std::string(m.name) + ": " + std::string(m.summary) + "\n";
  return text;
}

/// Declares options one by one in a group of the help.
struct declaration {
  CLI::App& app;
  char const* group;

  template <class T>
  CLI::Option* value(char const* name, T& to, char const* placeholder, std::string const& text) const {
    return app.add_option(name, to, text)->type_name(placeholder)->group(group)->capture_default_str();
  }
  /// An option whose default the text explains.
  template <class T>
  CLI::Option* unset(char const* name, T& to, char const* placeholder, std::string const& text) const {
    return app.add_option(name, to, text)->type_name(placeholder)->group(group);
  }
  template <class T>
  void number(char const* name, T& to, T low, T high, std::string const& text) const {
    auto const check = [low, high](std::string const& given) {
      T v{};
      bool const good = CLI::detail::lexical_cast(given, v) && v >= low && v <= high;  // false for NaN
      std::ostringstream expected;
      expected << "'" << given << "' is not " << (std::is_integral_v<T> ? "a whole number" : "a number")
               << " from " << low << " to " << high;
      return good ? std::string() : expected.str();
    };
    value(name, to, std::is_integral_v<T> ? "N" : "X", text)->check(check);
  }
  template <class T>
  void choice(char const* name, T& to, std::map<std::string, T> const& values, std::string const& chosen,
              std::string const& text) const {
    auto const choose = [&to, name, values](std::string const& given) {
      std::string names;
      for (auto const& [key, v] : values) names += (names.empty() ? "" : ", ") + key;
      auto const found = values.find(given);
      if (found == values.end())
        throw input_error(std::string(name) + ": '" + given + "' is none of " + names);
      to = found->second;
    };
    app.add_option_function<std::string>(name, choose, text)
        ->type_name("WHICH")
        ->default_str(chosen)
        ->group(group);
  }
};

void declare_data(CLI::App& app, options& o, std::string& size) {
  declaration const data{app, "Data"};
  data.unset(
      "--data", o.data, "DIR",
      "Folder with manifest.csv, whose columns are image, saliency, label and split (train, val or "
      "test), and with the PNG, JPEG or BMP files it names. Maps are grey pictures of their image's "
      "shape, in any size: 0 is not salient, 255 fully salient; an empty cell means no map [images are "
      "generated]");
  data.unset("--size", size, "HxW",
             "Height and width to which images are resized [generated images: 48x48; files: the shape of the "
             "first image, its "
             "longer side 128]");
  data.unset("--hold-out", o.hold_out, "LABELS",
             "Labels, separated by commas, that are kept out of training: all their images go into the test, "
             "as unknown classes, and the table gets a column 'known AUROC': images of known classes against "
             "those of unknown classes by the largest softmax probability [none]")
      ->delimiter(',');
  data.unset(
      "--normal", o.normal, "LABEL",
      "The class that AUROC tells from all other test images, those of unknown classes included, by its "
      "probability: with --hold-out the open-set AUROC [every known class in turn, and the mean]");
  app.add_flag_function(
         "--shortcut,!--no-shortcut", [&](std::int64_t n) { o.shortcut = n > 0; },
         "Plant a grey square outside the salient region of every image: its shade tells the class in the "
         "training and "
         "validation splits and is random in the test [planted in generated images, not in files]")
      ->group("Data");
  data.number<std::size_t>("--generate", o.generate, 60, 1000000,
                           "Number of images to generate without --data");
}

void declare_training(CLI::App& app, options& o) {
  declaration const training{app, "Training"};
  training.value("--methods", o.methods, "LIST", summary_of_methods())->delimiter(',');
  training.number<std::size_t>(
      "--seeds", o.seeds, 1, 1000,
      "Number of trainings of every method, each with its own seed; the seeds are the same for all methods");
  training.number<std::uint64_t>("--first-seed", o.first_seed, 0, 1u << 31,
                                 "The first seed; the others follow it");
  training.number<std::size_t>("--epochs", o.epochs, 1, 100000, "Passes over the training split");
  training.choice<budget>(
      "--budget", o.budget, {{"epochs", budget::epochs}, {"time", budget::time}}, "epochs",
      "What the methods have in common. epochs: all train for --epochs; time: all train as long as --epochs "
      "of sage take (steps are timed first)");
  training.number<std::size_t>("--batch", o.batch_size, 2, 4096, "Images per step, at most");
  training.number("--lr", o.learning_rate, 1e-9, 1e3,
                  "Largest learning rate of AdamW (a short rise, then half a cosine)");
  training.number("--weight-decay", o.weight_decay, 0.0, 1e3, "Weight decay of AdamW");
  training.number<std::size_t>(
      "--channels", o.channels, 1, 512,
      "Channels of the first of the five blocks; the others have 2, 4, 4 and 4 times as many");
  app.add_flag("--flips,!--no-flips", o.flips, "Mirror training images and their maps at random [on]")
      ->group("Training");
  training.number("--threads", o.threads, 0, 1024,
                  "Threads of LibTorch; 0: all that the machine has. More than one pays for larger networks "
                  "than the default, on an idle machine");
  training.choice<device>("--device", o.device, {{"cpu", device::cpu}, {"cuda", device::cuda}}, "cpu",
                          "Where network and losses are computed. cuda: the first GPU, for programs built "
                          "with nvcc and a LibTorch for CUDA");
}

void declare_losses(CLI::App& app, options& o) {
  declaration const losses{app, "Losses"};
  losses.number("--margin", o.margin, 0.0, 1e6,
                "sage: margin of the triplet term, on embeddings of length 1");
  losses.number("--temperature", o.temperature, 1e-6, 1e6, "sage: temperature of the consistency term");
  losses.number("--positive-weight", o.positive_weight, 0.0, 1e6,
                "sage, ce-aug: weight of the cross entropy of x+");
  losses.number("--triplet-weight", o.triplet_weight, 0.0, 1e6, "sage: weight of the triplet term");
  losses.number("--consistency-weight", o.consistency_weight, 0.0, 1e6,
                "sage: weight of the consistency term");
  losses.number("--cyborg-weight", o.cyborg_weight, 0.0, 1.0,
                "cyborg: weight of the activation map's error; cross entropy has the rest");
  losses.choice<degradation>(
      "--degradation", o.degradation, {{"mean", degradation::mean}, {"blur", degradation::blur}}, "mean",
      "What takes the place of pixels in x+ and x-: the mean of the channel, or a blur");
  losses.number("--blur-sigma", o.blur_sigma, 1e-3, 1e3, "Standard deviation of that blur, in pixels");
}

void declare_output(CLI::App& app, options& o) {
  declaration const output{app, "Output"};
  output.value("--output", o.out, "DIR", "Folder for the results and the checkpoint");
  output.number<std::size_t>("--panel", o.panel_rows, 1, 100, "Test images in panel.png");
  app.add_flag(
         "--resume", o.resume,
         "Continue the interrupted training in --output, with the other options as they were; print the "
         "results of a finished one again, or add methods and seeds to it")
      ->group("Output");
  app.add_flag("--restart", o.restart, "Discard the training in --output, finished or not, with its results")
      ->group("Output");
}

/// "64x128" as height and width.
void read_size(std::string const& text, options& o) {
  char const* const end = text.data() + text.size();
  auto const [cross, bad_height] = std::from_chars(text.data(), end, o.height);
  bool good = bad_height == std::errc{} && cross != end && *cross == 'x';
  if (good) {
    auto const [last, bad_width] = std::from_chars(cross + 1, end, o.width);
    good = bad_width == std::errc{} && last == end;
  }
  if (!good) throw input_error("--size " + text + ": expected HEIGHTxWIDTH, such as 64x128");
  if (o.height < 16 || o.width < 16 || o.height > 1024 || o.width > 1024)
    throw input_error("--size " + text + ": both sides must be from 16 to 1024");
}

/// An argument as it is typed into a shell.
std::string shell_word(std::string const& argument) {
  constexpr char const* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:%@";
  if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) return argument;
  std::string word = "'";
  for (char const c : argument) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

/// The fewest digits that give this number back: settings are compared as text.
std::string shortest_text(double number) {
  std::array<char, 32> text{};
  auto const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

void check(options const& o) {
  std::set<std::string> seen;
  for (std::string const& name : o.methods) {
    if (!find_method(name)) {
      std::string known;
      for (method const& m : methods) known += (known.empty() ? "" : ", ") + std::string(m.name);
      throw input_error("--methods: there is no method '" + name + "'; there are " + known);
    }
    if (!seen.insert(name).second) throw input_error("--methods: '" + name + "' is named twice");
  }
  if (o.data.empty() && !o.hold_out.empty())
    throw input_error("--hold-out needs --data: generated images have no classes to spare");
  if (o.resume && o.restart) throw input_error("--resume and --restart exclude each other");
}

}  // namespace

std::string options::training_text() const {
  std::ostringstream text;
  auto const put = [&](char const* name, auto const& value) { text << name << ' ' << value << '\n'; };
  put("data", data.empty() ? "generated" : "files");
  put("size", std::to_string(height) + "x" + std::to_string(width));
  put("generate", generate);
  put("shortcut", plants_shortcut() ? "on" : "off");
  put("normal", normal);
  put("first-seed", first_seed);
  put("epochs", epochs);
  put("budget", budget == budget::time ? "time" : "epochs");
  put("batch", batch_size);
  put("lr", shortest_text(learning_rate));
  put("weight-decay", shortest_text(weight_decay));
  put("channels", channels);
  put("flips", flips ? "on" : "off");
  put("margin", shortest_text(margin));
  put("temperature", shortest_text(temperature));
  put("positive-weight", shortest_text(positive_weight));
  put("triplet-weight", shortest_text(triplet_weight));
  put("consistency-weight", shortest_text(consistency_weight));
  put("cyborg-weight", shortest_text(cyborg_weight));
  put("degradation", degradation == degradation::blur ? "blur" : "mean");
  put("blur-sigma", shortest_text(blur_sigma));
  put("threads", threads);
  put("device", device == device::cuda ? "cuda" : "cpu");
  put("panel", panel_rows);
  std::string labels;
  for (std::string const& label : hold_out) labels += (labels.empty() ? "" : ",") + label;
  put("hold-out", labels);
  return std::move(text).str();
}

std::optional<options> parse_options(int argc, char** argv) {
  options o;
  std::string size;
  CLI::App app{
      "Trains a small convolutional network with human saliency maps, and compares the SAGE loss with plain "
      "cross entropy\n"
      "and CYBORG. Prints a table; writes results.csv, curves.csv, curves.png and panel.png.\n"};
  app.formatter(std::make_shared<help_format>());
  declare_data(app, o, size);
  declare_training(app, o);
  declare_losses(app, o);
  declare_output(app, o);
  try {
    app.parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    std::cout << app.help();
    return std::nullopt;
  } catch (CLI::ParseError const& error) {
    throw input_error(std::string(error.what()) + " (--help explains the options)");
  }
  if (!size.empty()) read_size(size, o);
  check(o);
  for (int i = 0; i < argc; ++i) {
    std::string const word = argv[i];
    if (word != "--restart" && word != "--resume") o.resume_command += shell_word(word) + " ";
  }
  o.resume_command += "--resume";
  return o;
}

}  // namespace sage_train
