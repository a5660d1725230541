// Repair a photo with a `pixels` export, in C++ and without Python: OpenVINO reads the .xml or the .onnx file.
//
//   repair MODEL PHOTO.ppm MASK.pgm OUT.ppm [RUNS]      (binary PPM and PGM of 8 bits; white in the mask = missing)
//
// Built against the PyPI package, which holds headers, libraries and a CMake package: docs/edge.md.
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <openvino/openvino.hpp>
#include <stdexcept>
#include <string>
#include <vector>

struct Picture {
    size_t height = 0, width = 0, channels = 0;
    std::vector<uint8_t> bytes;
};

Picture read(const std::string& name, const std::string& magic) {
    std::ifstream file(name, std::ios::binary);
    Picture picture;
    std::string found;
    size_t most = 0;
    file >> found >> picture.width >> picture.height >> most;
    if (found != magic || most != 255) throw std::runtime_error(name + " must be " + magic + " of 8 bits");
    file.get();  // the one white space after the header
    picture.channels = magic == "P6" ? 3 : 1;
    picture.bytes.assign(std::istreambuf_iterator<char>(file), {});
    if (picture.bytes.size() != picture.height * picture.width * picture.channels)
        throw std::runtime_error(name + " is truncated");
    return picture;
}

ov::Tensor tensor(Picture& picture) {
    return {ov::element::u8, {1, picture.height, picture.width, picture.channels}, picture.bytes.data()};
}

int main(int count, char** words) try {
    if (count < 5) throw std::runtime_error("give MODEL PHOTO.ppm MASK.pgm OUT.ppm [RUNS]");
    Picture photo = read(words[2], "P6"), mask = read(words[3], "P5");
    if (photo.height != mask.height || photo.width != mask.width)
        throw std::runtime_error("the mask must be as large as the photo");
    ov::Core core;
    // by default OpenVINO computes in bfloat16 where the processor can
    auto compiled = core.compile_model(words[1], "CPU", ov::hint::inference_precision(ov::element::f32));
    ov::InferRequest request = compiled.create_infer_request();
    request.set_tensor("image", tensor(photo));
    request.set_tensor("mask", tensor(mask));
    for (int run = 0, runs = count > 5 ? std::stoi(words[5]) : 1; run < runs; ++run) {
        const auto start = std::chrono::steady_clock::now();
        request.infer();
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        std::cout << took.count() << " ms\n";
    }
    ov::Tensor repaired = request.get_tensor("repaired");
    std::ofstream out(words[4], std::ios::binary);
    out << "P6\n" << photo.width << " " << photo.height << "\n255\n";
    out.write(reinterpret_cast<const char*>(repaired.data<uint8_t>()), repaired.get_byte_size());
    return out.good() ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << "Error: " << error.what() << "\n";
    return 1;
}
