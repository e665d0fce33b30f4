// The pipes of a command, in parsed form: `| match tcp | last 5`.
#pragma once

#include <cstdint>
#include <string>

namespace icr::cli {

/// One filter of the answer.
struct Pipe {
  enum class Kind : std::uint8_t {
    append,   ///< to the file `text`
    compare,  ///< a configuration with the former commit `number`
    count,    ///< the number of lines
    except,   ///< lines that do not match the pattern `text`
    find,     ///< from the first line on that matches `text`
    hold,     ///< the pager waits at the end
    last,     ///< `number` lines; 0: as many as the screen has
    match,    ///< lines that match `text`
    no_more,  ///< without the pager
    refresh,  ///< again every `number` seconds
    resolve,  ///< names instead of addresses; whole names if `number` is not 0
    save,     ///< into the file `text`
    tee,      ///< also into the file `text`
    trim,     ///< without the first `number` columns
  };
  Kind kind = Kind::count;
  std::string text;
  std::uint32_t number = 0;
};

/// The form of an answer: `| display xml`.
enum class Display : std::uint8_t { text, json, set, xml, xml_rpc };

}  // namespace icr::cli
