#pragma once

#include <CLI/CLI.hpp>

#include <sstream>
#include <string>

namespace sage_train {

/// Help in two columns: "--name VALUE", then the description, wrapped, with the default in brackets.
class help_format : public CLI::Formatter {
 public:
  std::string make_option(CLI::Option const* option, bool) const override {
    constexpr std::size_t left = 28;
    std::string head = "  " + names(option);
    if (option->get_type_size() != 0) head += " " + option->get_type_name();
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += " [" + unquoted(option->get_default_str()) + "]";

    std::string const indent(left, ' ');
    std::string out = head.size() < left ? head + std::string(left - head.size(), ' ') : head + "\n" + indent;
    std::istringstream lines(text);
    bool first = true;
    for (std::string line; std::getline(lines, line); first = false) {
      if (!first) out += "\n" + indent;
      append_wrapped(out, line, indent);
    }
    return out + "\n";
  }

 private:
  static std::string names(CLI::Option const* option) {
    std::string all = option->get_name(false, true);
    if (auto const mark = all.find("{false}"); mark != std::string::npos) all.erase(mark, 7);
    return all;
  }

  /// "[ce,sage]" and "\"text\"" as they would be typed.
  static std::string unquoted(std::string text) {
    if (text.size() > 1 && (text.front() == '[' || text.front() == '"'))
      text = text.substr(1, text.size() - 2);
    return text;
  }

  static void append_wrapped(std::string& out, std::string const& line, std::string const& indent) {
    constexpr std::size_t width = 80;
    std::istringstream words(line);
    std::size_t column = 0;
    for (std::string word; words >> word;) {
      if (column > 0 && column + 1 + word.size() > width) {
        out += "\n" + indent;
        column = 0;
      }
      out += (column > 0 ? " " : "") + word;
      column += word.size() + (column > 0 ? 1 : 0);
    }
  }
};

}  // namespace sage_train
