// Repair a photo with a `pixels` export for ONNX, on onnxruntime's C API: the same code for Android, iOS and a Jetson.
//
//   repair MODEL.onnx PHOTO.ppm MASK.pgm OUT.ppm      (binary PPM and PGM of 8 bits; white in the mask = missing)
//
// Building it: docs/edge.md.
#include <onnxruntime_c_api.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

const OrtApi* ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);  // null: the library is older than the header

struct Picture {
    int64_t height = 0, width = 0, channels = 0;
    std::vector<uint8_t> bytes;
};

void check(OrtStatus* status) {  // its text outlives no error, and the process ends with one
    if (status != nullptr) throw std::runtime_error(ort->GetErrorMessage(status));
}

Picture read(const std::string& name, const std::string& magic) {
    std::ifstream file(name, std::ios::binary);
    Picture picture;
    std::string found;
    int most = 0;
    file >> found >> picture.width >> picture.height >> most;
    if (found != magic || most != 255) throw std::runtime_error(name + " must be " + magic + " of 8 bits");
    file.get();  // the one white space after the header
    picture.channels = magic == "P6" ? 3 : 1;
    picture.bytes.assign(std::istreambuf_iterator<char>(file), {});
    const int64_t size = picture.height * picture.width * picture.channels;
    if (static_cast<int64_t>(picture.bytes.size()) != size) throw std::runtime_error(name + " is truncated");
    return picture;
}

OrtValue* tensor(Picture& picture) {  // over the picture's own bytes
    const int64_t shape[] = {1, picture.height, picture.width, picture.channels};
    OrtMemoryInfo* memory = nullptr;
    check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    OrtValue* value = nullptr;
    check(ort->CreateTensorWithDataAsOrtValue(memory, picture.bytes.data(), picture.bytes.size(), shape, 4,
                                              ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &value));
    ort->ReleaseMemoryInfo(memory);
    return value;
}

int main(int count, char** words) try {
    if (count != 5) throw std::runtime_error("give MODEL.onnx PHOTO.ppm MASK.pgm OUT.ppm");
    if (ort == nullptr) throw std::runtime_error("onnxruntime's library is older than the header");
    Picture photo = read(words[2], "P6"), mask = read(words[3], "P5");
    if (photo.height != mask.height || photo.width != mask.width) throw std::runtime_error("the mask must fit the photo");
    OrtEnv* env = nullptr;
    OrtSessionOptions* options = nullptr;
    OrtSession* session = nullptr;
    check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "repair", &env));
    check(ort->CreateSessionOptions(&options));
    check(ort->CreateSession(env, words[1], options, &session));  // once an app: it takes a second
    const char *names[] = {"image", "mask"}, *results[] = {"repaired"};
    OrtValue *inputs[] = {tensor(photo), tensor(mask)}, *repaired = nullptr;
    const auto start = std::chrono::steady_clock::now();
    check(ort->Run(session, nullptr, names, inputs, 2, results, 1, &repaired));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    void* pixels = nullptr;
    check(ort->GetTensorMutableData(repaired, &pixels));
    std::ofstream out(words[4], std::ios::binary);
    out << "P6\n" << photo.width << " " << photo.height << "\n255\n";
    out.write(static_cast<const char*>(pixels), static_cast<std::streamsize>(photo.bytes.size()));
    for (OrtValue* value : {inputs[0], inputs[1], repaired}) ort->ReleaseValue(value);
    ort->ReleaseSession(session);
    ort->ReleaseSessionOptions(options);
    ort->ReleaseEnv(env);
    std::cout << took.count() << " ms\n";
    return out.good() ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << "Error: " << error.what() << "\n";
    return 1;
}
