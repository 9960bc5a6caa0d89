// lnpt teach: what a teacher says, written once.
#include <fmt/format.h>
#include <numeric>

#include <lnpt/io/pixel_digest.hpp>
#include <lnpt/io/state_dict.hpp>

#include "command.hpp"
#include "engine.hpp"
#include "loading.hpp"
#include "naming.hpp"
#include "output_files.hpp"
#include "progress.hpp"

namespace cli {

namespace {

struct teach_options : common_options {
  std::string arch, features, teacher, teacher_prefix, out;
  std::size_t views = 4;
  std::size_t classes = 0;  ///< 0: as the weights or the architecture say
  data_options images;
  naming names;
  engine_choice engine;
};

/// Fills the cache in batches of images, view by view.
void fill(lnpt::io::teacher_cache& cache, predictor<float> const& predict, lnpt::io::image_set const& images) {
  auto const views = std::max<std::size_t>(cache.views(), 1);
  progress along(cache.rows());
  along.doing("asking the teacher");
  for (std::size_t view = 0; view < views; ++view)
    for (std::size_t begin = 0; begin < images.size(); begin += lnpt::evaluation_batch) {
      lnpt::batch_plan plan;
      for (auto i = begin; i < std::min(begin + lnpt::evaluation_batch, images.size()); ++i) {
        plan.images.push_back(i);
        if (cache.views() != 0) plan.how.push_back(cache.entry(i, view).how);
      }
      auto const predicted = predict(lnpt::gather_images<float>(images, plan));
      auto const outputs = std::span<float const>(predicted.output.data(), predicted.output.size());
      auto const features = std::span<float const>(predicted.features->data(), predicted.features->size());
      for (std::size_t b = 0; b < plan.images.size(); ++b)
        cache.set(plan.images[b], view, outputs.subspan(b * cache.output_size(), cache.output_size()),
                  features.subspan(b * cache.feature_size(), cache.feature_size()));
      along.advance(plan.images.size());
    }
}

void describe(CLI::App& command, teach_options& o) {
  command.add_option("--arch,--model", o.arch, std::string("The teacher's network: ") + architecture_forms)->required();
  auto* const teacher =
      command.add_option("--teacher", o.teacher, "The teacher's state_dict, safetensors; of a .pt2 network, its own by default");
  command.add_option("--features", o.features, features_flag_text);
  command.add_option("--teacher-prefix", o.teacher_prefix, "What its names begin with")->needs(teacher);
  command
      .add_option("--classes", o.classes,
                  "Number of classes; default: as the weights or the architecture say, else as the labels")
      ->check(above_zero());
  command.add_option("--data", o.images.data, std::string("Data set: ") + data_forms)->required();
  command.add_option("--views", o.views, "Augmented views per image (crop and flip from --seed); 0: the images as they are")
      ->capture_default_str();
  command.add_option("--out", o.out, "File for the cache, safetensors")->required();
  o.images.describe_images(command);
  o.names.describe(command);
  o.engine.describe(command);
}

void run(teach_options const& o) {
  require_output({"--out", o.out}, {{"--arch", o.arch}, {"--teacher", o.teacher}, {"--data", o.images.data}});
  o.names.require_use({{o.teacher, o.teacher_prefix}});
  auto const engine = open_training_engine(o.engine, o.threads);
  auto data = open_data(o.images);
  if (o.teacher.empty() && !names_exported(o.arch)) refuse("the teacher's weights are missing: name them with --teacher");
  auto const arch = parse_architecture(o.arch, o.features);
  std::optional<lnpt::io::safetensors::file> weights;
  if (!o.teacher.empty()) weights = open_weights(o.teacher, "--teacher", "--model");
  auto const names = o.names.under(o.teacher_prefix);
  set_classes(data, choose_classes(o.classes, own_classes(arch, weights, names), {}));
  auto teacher = make_network<trained_network>(arch, around(data.train), 0);
  if (weights) load_weights(teacher, arch, *weights, names, teacher_naming_flags);
  auto const predict = engine->open(teacher);
  auto const first = predict(lnpt::gather_images<float>(data.train, {{0}, {}}));
  lnpt::io::teacher_cache cache({.data_set = data_kind(o.images.data),
                                 .teacher = fmt::format("{} {:016x}", o.arch, lnpt::fingerprint_of_state(teacher)),
                                 .seed = o.seed,
                                 .images = data.train.size(),
                                 .views = o.views,
                                 .form = lnpt::io::form_of(data.train),
                                 .pixels = lnpt::io::pixel_digest(data.train.pixels)},
                                first.output.size(), first.features->size());
  fill(cache, predict, data.train);
  cache.save(o.out);
  std::optional<double> accuracy;
  if (data.test.has_labels())
    accuracy = static_cast<double>(count_right(predict, data.test)) / static_cast<double>(data.test.size());
  if (o.json) {
    nlohmann::ordered_json all{{"images", cache.images()},
                               {"views", cache.views()},
                               {"outputs", cache.output_size()},
                               {"features", cache.feature_size()}};
    if (accuracy) all["accuracy"] = *accuracy;
    return fmt::print("{}\n", all.dump(2));
  }
  fmt::print("{}: {} images in {} views, {} outputs and {} features each; ", o.out, cache.images(), cache.views(),
             cache.output_size(), cache.feature_size());
  if (accuracy)
    fmt::print("the teacher is right on {:.1f} % of {} test images\n", 100 * *accuracy, data.test.size());
  else
    fmt::print("no labels say how often the teacher is right\n");
}

}  // namespace

void add_teach(CLI::App& app) {
  add_command<teach_options>(
      app,
      {"teach", "Write what a teacher says of a data set, for training where the teacher is not",
       "Train with the file by lnpt train --teacher-cache. With V views, epoch e shows each image in view e mod V.\n\n"
       "  lnpt teach --arch resnet:20:16,32,64 --teacher t.safetensors --data cifar10:cifar-10-batches-bin --views 4 --out "
       "cache.safetensors"},
      describe, run);
}

}  // namespace cli
