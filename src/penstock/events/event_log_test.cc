// A store with a log: what a flush said lasts is there again, whatever happens to the end of a
// file.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "penstock/core/identity.h"
#include "penstock/events/event_store.h"

namespace penstock::events {
namespace {

namespace fs = std::filesystem;
using core::Value;
using Mode = EventJournal::Mode;

/// A folder of its own that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "penstock-events-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string log() const { return path_ + "/log"; }
  /// The newest file of the log.
  std::string file() const {
    std::string last;
    for (const auto& entry : fs::directory_iterator(log())) {
      const std::string name = entry.path().string();
      last = name.ends_with(".log") ? std::max(last, name) : last;
    }
    return last;
  }

 private:
  std::string path_;
};

std::unique_ptr<EventStore> open(const Folder& folder, Mode mode = Mode::kWrite) {
  auto store = EventStore::open(folder.log(), mode);
  EXPECT_TRUE(store.has_value()) << store.error().to_string();
  return store.has_value() ? std::move(*store) : nullptr;
}

std::string text_of(const EventStore& store) {
  std::string text;
  const std::vector<StoredEvent> events = store.scan(0, 1'000'000).value();
  for (const StoredEvent& event : events) {
    const SeriesName& name = store.names().name(event.key.series);
    text += std::to_string(event.id) + " " + name.node + "." + name.signal + " ";
    for (const auto& [map, index] : name.path) {
      text += map + "[" + std::to_string(index) + "] ";
    }
    text += std::to_string(event.key.epoch) + " " + std::to_string(event.timestamp_us) + " " +
            core::digest(event.value).value().to_hex().substr(0, 8) + "\n";
  }
  return text + std::to_string(store.next_id());
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(EventLog, IsTakenUpWhereItWasLeft) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    std::mt19937_64 random(seed);
    const Folder folder;
    auto store = open(folder);
    std::string flushed = text_of(*store);
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t dice = random() % 20;
      const auto epoch = static_cast<std::int64_t>(random() % 4);
      SeriesName name{"n" + std::to_string(random() % 3), "value", {}};
      if (random() % 4 == 0) {
        name.path = {{"m", epoch % 2}};
      }
      const Series series = store->names().add(name).value();
      if (dice < 8) {
        const Value values[] = {Value::integer(step), Value::text(std::string(random() % 300, 'x')),
                                Value::null(), Value::bytes(std::string(100'000, 'y'))};
        ASSERT_TRUE(store->add({series, epoch}, values[random() % 4], step).has_value());
      } else if (dice < 12) {
        std::vector<double> reals(random() % 50, 0.5);
        std::vector<Value> objects(reals.size(), Value::text("object"));
        EventColumns columns;
        columns.count = reals.size();
        columns.series = series;
        columns.epochs = epoch;
        columns.timestamps_us = std::int64_t{step};
        columns.values = std::span<const double>(reals);
        if (dice == 11) {
          columns.values = std::span<Value>(objects);
        }
        ASSERT_TRUE(store->add_batch(columns).has_value());
      } else if (dice < 14) {
        ASSERT_TRUE(store->clear_epoch(epoch, name.path).has_value());
      } else if (dice == 14) {
        ASSERT_TRUE(store->clear().has_value());
      } else if (dice < 18) {
        ASSERT_TRUE(store->flush().has_value());
        flushed = text_of(*store);
      } else {
        // What was not flushed is gone, and nothing else.
        store.reset();
        store = open(folder);
        ASSERT_EQ(text_of(*store), flushed) << "seed " << seed << " step " << step;
        ASSERT_EQ(text_of(*open(folder, Mode::kRead)), flushed);
      }
    }
  }
}

TEST(EventLog, AFileThatIsCutShortHasWhatWasWholeBefore) {
  const Folder folder;
  std::vector<std::pair<std::size_t, std::string>> states;  // bytes of the file, what it holds
  {
    auto store = open(folder);
    const Series series = store->names().add({"a", "value", {}}).value();
    states.emplace_back(0, text_of(*store));
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(store->add({series, i}, Value::text("v" + std::to_string(i)), i).has_value());
      ASSERT_TRUE(store->flush().has_value());
      states.emplace_back(read_all(folder.file()).size(), text_of(*store));
    }
  }
  const std::string path = folder.file(), whole = read_all(path);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_all(path, whole.substr(0, size));
    std::string wanted;
    for (const auto& [bytes, text] : states) {
      wanted = bytes <= size ? text : wanted;
    }
    ASSERT_EQ(text_of(*open(folder, Mode::kRead)), wanted) << size;
    ASSERT_EQ(text_of(*open(folder)), wanted) << size;
  }
}

TEST(EventLog, AFlippedByteIsNoticed) {
  const Folder folder;
  std::string before;
  {
    auto store = open(folder);
    const Series series = store->names().add({"a", "value", {}}).value();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(store->add({series, i}, Value::integer(i), i).has_value());
      ASSERT_TRUE(store->flush().has_value());
    }
    before = text_of(*store);
  }
  const std::string path = folder.file(), whole = read_all(path);
  int num_refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    write_all(path, bad);
    const auto store = EventStore::open(folder.log(), Mode::kRead);
    if (store.has_value()) {
      // In the last frame it looks like a write that a crash cut short.
      ASSERT_NE(text_of(**store), before) << at;
      ASSERT_GE(at, whole.size() * 2 / 3 - 64) << at;
    } else {
      ++num_refused;
      ASSERT_EQ(store.error().id(), "PS0482");
    }
  }
  EXPECT_GT(num_refused, static_cast<int>(whole.size() / 2));
}

// Nothing that follows a good digest is trusted either: frames made wrong on purpose.
TEST(EventLog, AFrameThatMakesNoSenseIsRefused) {
  Step good;
  good.series = {0};
  good.epochs = {1};
  good.timestamps = {2};
  good.values = make_record(Value::integer(1)).value();
  good.ends = {good.values.size()};
  const SeriesName name{"a", "value", {}};
  const SeriesName* const names[] = {&name};
  const auto refuses = [&](const Step& step) {
    const Folder folder;
    fs::create_directories(folder.log());
    std::string bytes;
    EXPECT_TRUE(append_frame(bytes, step, names).has_value());
    write_all(folder.log() + "/events-0000000000.log", bytes);
    const auto store = EventStore::open(folder.log(), Mode::kRead);
    return !store.has_value() && store.error().id() == "PS0482";
  };
  EXPECT_FALSE(refuses(good));
  Step step = good;
  step.series = {1};
  EXPECT_TRUE(refuses(step)) << "no such name";
  step = good;
  step.ends = {good.values.size() + 1};
  EXPECT_TRUE(refuses(step)) << "ends beyond";
  step = good;
  step.first_id = 5;
  EXPECT_TRUE(refuses(step)) << "ids that skip";
  step = good;
  step.first_id = -1;
  EXPECT_TRUE(refuses(step)) << "negative";
  step = good;
  step.epochs.clear();
  EXPECT_TRUE(refuses(step)) << "short column";
  step = good;
  step.form = static_cast<ValueForm>(9);
  EXPECT_TRUE(refuses(step)) << "form";
  step = Step();
  step.kind = FrameKind::kClear;
  step.all = true;
  step.first_id = std::int64_t{1} << 60;
  EXPECT_TRUE(refuses(step)) << "an id beyond all";
}

TEST(EventLog, HasOneWriterAndAnyReaders) {
  const Folder folder;
  auto store = open(folder);
  const auto second = EventStore::open(folder.log(), Mode::kWrite);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().id(), "PS0483");
  auto reader = open(folder, Mode::kRead);
  const Series series = reader->names().add({"a", "value", {}}).value();
  EXPECT_FALSE(reader->add({series, 0}, Value::null(), 0).has_value());
  EXPECT_FALSE(reader->clear().has_value());
  store.reset();
  EXPECT_TRUE(EventStore::open(folder.log(), Mode::kWrite).has_value());
}

TEST(EventLog, AClearOfAllGivesTheDiskBack) {
  const Folder folder;
  auto store = open(folder);
  const Series series = store->names().add({"a", "value", {}}).value();
  std::vector<double> reals(100'000, 1.0);
  EventColumns columns;
  columns.count = reals.size();
  columns.series = series;
  columns.epochs = std::int64_t{0};
  columns.timestamps_us = std::int64_t{0};
  columns.values = std::span<const double>(reals);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(store->add_batch(columns).has_value());
    ASSERT_TRUE(store->flush().has_value());
    ASSERT_TRUE(store->clear().has_value());
    ASSERT_TRUE(store->flush().has_value());
  }
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder.log())) {
    bytes += entry.file_size();
  }
  EXPECT_LT(bytes, 1000U);
  store.reset();
  EXPECT_EQ(open(folder)->next_id(), 500'000);
}

}  // namespace
}  // namespace penstock::events
